/** One field of a message. */
export interface Field {
  readonly number: number
  readonly name: string
  /** In the notation of src/objects/schema.ts, with the wire's scalars: `[]core.v1.Container`, `{}bytes`, `int32`. */
  readonly type: string
  /** Go holds it by pointer, so its zero value says something. */
  readonly pointer: boolean
}

/** Fields from texts such as `3 name string` and, for a pointer, `4 path string *`. */
function fields(...texts: string[]): Field[] {
  return texts.map((text) => {
    const [number, name, type, pointer] = text.split(' ')
    return { number: Number(number), name: name!, type: type!, pointer: pointer === '*' }
  })
}

const crd = 'apiextensions.v1'
const schema = `${crd}.JSONSchemaProps`

/** The numbers that kubectl 1.33 does not carry: younger fields, and the kinds of apiextensions. From the tags of the Go types. */
export const byHand: Readonly<Record<string, readonly Field[]>> = {
  'core.v1.Container': fields('25 restartPolicyRules []core.v1.ContainerRestartRule'),
  'core.v1.EphemeralContainerCommon': fields('25 restartPolicyRules []core.v1.ContainerRestartRule'),
  'core.v1.ContainerRestartRule': fields('1 action string', '2 exitCodes core.v1.ContainerRestartRuleOnExitCodes *'),
  'core.v1.ContainerRestartRuleOnExitCodes': fields('1 operator string', '2 values []int32'),
  'core.v1.EnvVarSource': fields('5 fileKeyRef core.v1.FileKeySelector *'),
  'core.v1.FileKeySelector': fields('1 volumeName string', '2 path string', '3 key string', '4 optional bool *'),
  'core.v1.PodSpec': fields('41 hostnameOverride string *'),
  'core.v1.VolumeProjection': fields('6 podCertificate core.v1.PodCertificateProjection *'),
  'core.v1.PodCertificateProjection': fields(
    '1 signerName string',
    '2 keyType string',
    '3 maxExpirationSeconds int32 *',
    '4 credentialBundlePath string',
    '5 keyPath string',
    '6 certificateChainPath string',
    '7 userAnnotations {}string',
  ),
  [`${crd}.CustomResourceDefinition`]: fields(
    '1 metadata meta.v1.ObjectMeta',
    `2 spec ${crd}.CustomResourceDefinitionSpec`,
    `3 status ${crd}.CustomResourceDefinitionStatus`,
  ),
  [`${crd}.CustomResourceDefinitionSpec`]: fields(
    '1 group string',
    `3 names ${crd}.CustomResourceDefinitionNames`,
    '4 scope string',
    `7 versions []${crd}.CustomResourceDefinitionVersion`,
    `9 conversion ${crd}.CustomResourceConversion *`,
    '10 preserveUnknownFields bool',
  ),
  [`${crd}.CustomResourceDefinitionNames`]: fields(
    '1 plural string',
    '2 singular string',
    '3 shortNames []string',
    '4 kind string',
    '5 listKind string',
    '6 categories []string',
  ),
  [`${crd}.CustomResourceDefinitionStatus`]: fields(
    `1 conditions []${crd}.CustomResourceDefinitionCondition`,
    `2 acceptedNames ${crd}.CustomResourceDefinitionNames`,
    '3 storedVersions []string',
  ),
  [`${crd}.CustomResourceDefinitionCondition`]: fields(
    '1 type string',
    '2 status string',
    '3 lastTransitionTime time',
    '4 reason string',
    '5 message string',
  ),
  [`${crd}.CustomResourceDefinitionVersion`]: fields(
    '1 name string',
    '2 served bool',
    '3 storage bool',
    `4 schema ${crd}.CustomResourceValidation *`,
    `5 subresources ${crd}.CustomResourceSubresources *`,
    `6 additionalPrinterColumns []${crd}.CustomResourceColumnDefinition`,
    '7 deprecated bool',
    '8 deprecationWarning string *',
    `9 selectableFields []${crd}.SelectableField`,
  ),
  [`${crd}.CustomResourceColumnDefinition`]: fields(
    '1 name string',
    '2 type string',
    '3 format string',
    '4 description string',
    '5 priority int32',
    '6 jsonPath string',
  ),
  [`${crd}.SelectableField`]: fields('1 jsonPath string'),
  [`${crd}.CustomResourceSubresources`]: fields(
    `1 status ${crd}.CustomResourceSubresourceStatus *`,
    `2 scale ${crd}.CustomResourceSubresourceScale *`,
  ),
  [`${crd}.CustomResourceSubresourceStatus`]: [],
  [`${crd}.CustomResourceSubresourceScale`]: fields(
    '1 specReplicasPath string',
    '2 statusReplicasPath string',
    '3 labelSelectorPath string *',
  ),
  [`${crd}.CustomResourceConversion`]: fields('1 strategy string', `2 webhook ${crd}.WebhookConversion *`),
  [`${crd}.WebhookConversion`]: fields(
    `2 clientConfig ${crd}.WebhookClientConfig *`,
    '3 conversionReviewVersions []string',
  ),
  [`${crd}.WebhookClientConfig`]: fields(`1 service ${crd}.ServiceReference *`, '2 caBundle bytes', '3 url string *'),
  [`${crd}.ServiceReference`]: fields('1 namespace string', '2 name string', '3 path string *', '4 port int32 *'),
  [`${crd}.CustomResourceValidation`]: fields(`1 openAPIV3Schema ${schema} *`),
  [`${crd}.ExternalDocumentation`]: fields('1 description string', '2 url string'),
  [`${crd}.ValidationRule`]: fields(
    '1 rule string',
    '2 message string',
    '3 messageExpression string',
    '4 reason string *',
    '5 fieldPath string',
    '6 optionalOldSelf bool *',
  ),
  [schema]: fields(
    '1 id string',
    '2 $schema string',
    '3 $ref string *',
    '4 description string',
    '5 type string',
    '6 format string',
    '7 title string',
    '8 default raw *',
    '9 maximum double *',
    '10 exclusiveMaximum bool',
    '11 minimum double *',
    '12 exclusiveMinimum bool',
    '13 maxLength int64 *',
    '14 minLength int64 *',
    '15 pattern string',
    '16 maxItems int64 *',
    '17 minItems int64 *',
    '18 uniqueItems bool',
    '19 multipleOf double *',
    '20 enum []raw',
    '21 maxProperties int64 *',
    '22 minProperties int64 *',
    '23 required []string',
    '24 items schema-or-list *',
    `25 allOf []${schema}`,
    `26 oneOf []${schema}`,
    `27 anyOf []${schema}`,
    `28 not ${schema} *`,
    `29 properties {}${schema}`,
    '30 additionalProperties schema-or-bool *',
    `31 patternProperties {}${schema}`,
    '32 dependencies {}schema-or-names',
    '33 additionalItems schema-or-bool *',
    `34 definitions {}${schema}`,
    `35 externalDocs ${crd}.ExternalDocumentation *`,
    '36 example raw *',
    '37 nullable bool',
    '38 x-kubernetes-preserve-unknown-fields bool *',
    '39 x-kubernetes-embedded-resource bool',
    '40 x-kubernetes-int-or-string bool',
    '41 x-kubernetes-list-map-keys []string',
    '42 x-kubernetes-list-type string *',
    '43 x-kubernetes-map-type string *',
    `44 x-kubernetes-validations []${crd}.ValidationRule`,
  ),
}
