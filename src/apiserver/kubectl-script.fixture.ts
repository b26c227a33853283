import type { Step } from './kubectl.fixture.ts'

const manifests = `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { colour: red }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 0
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: app, image: web:1, ports: [{ containerPort: 8080 }] }] }
`
const unknownField = 'apiVersion: v1\nkind: Service\nmetadata: { name: odd }\nspec: { portz: [] }\n'

/** A small manifest. */
export const configMap = (name: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, labels: { set: prune } }\ndata: { k: v }\n`

const role = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: peek, namespace: NAMESPACE }
rules: [{ apiGroups: [''], resources: [services], verbs: [get] }]
`

/** What every kubectl is asked of an API server alone, in this order; HOME and NAMESPACE stand for those of the run. */
export const apiScript: readonly Step[] = [
  {
    words: 'apply -f -',
    input: manifests,
    out: /configmap\/settings created\nservice\/web created\ndeployment.apps\/web created/,
  },
  { words: 'apply -f -', input: manifests, out: /settings unchanged\n.*web unchanged\n.*web unchanged/ },
  { words: 'apply -f -', input: manifests.replace('red', 'blue'), out: /settings configured/ },
  { words: 'get configmap settings -o jsonpath={.data.colour}', out: /^blue$/ },
  { words: 'apply --server-side --force-conflicts -f -', input: manifests, out: /settings serverside-applied/ },
  { words: 'apply -f -', input: unknownField, code: 1, err: /portz/ },
  { words: 'get deployments,services', out: /deployment.apps\/web +0\/0[\s\S]*service\/web +ClusterIP/ },
  { words: 'get service web -o name', out: /^service\/web\n$/ },
  { words: 'get service nothing', code: 1, err: /Error from server \(NotFound\): services "nothing" not found/ },
  { words: 'create configmap made --from-literal=a=b', out: /configmap\/made created/ },
  { words: 'create configmap made --from-literal=a=b', code: 1, err: /configmaps "made" already exists/ },
  { words: 'create secret generic hidden --from-literal=p=q', out: /secret\/hidden created/ },
  { words: 'create deployment second --image=web:2 --replicas=0', out: /deployment.apps\/second created/ },
  { words: 'create serviceaccount runner', out: /serviceaccount\/runner created/ },
  { words: 'create role peek --verb=get,list --resource=pods', out: /role.rbac.authorization.k8s.io\/peek created/ },
  { words: 'create rolebinding peek --role=peek --serviceaccount=default:runner', out: /rolebinding.* created/ },
  { words: 'label configmap made tier=back', out: /configmap\/made labeled/ },
  { words: 'get configmaps -l tier=back -o name', out: /^configmap\/made\n$/ },
  { words: 'annotate configmap made note=x', out: /configmap\/made annotate/ },
  { words: 'patch service web -p {"spec":{"ports":[{"port":80,"targetPort":9090}]}}', out: /service\/web patched/ },
  { words: 'patch configmap made --type=json -p [{"op":"add","path":"/data/c","value":"d"}]', out: /patched/ },
  { words: 'patch configmap made --type=merge -p {"data":{"e":"f"}}', out: /patched/ },
  { words: 'get configmap made -o jsonpath={.data}', out: /"a":"b","c":"d","e":"f"/ },
  { words: 'scale deployment web --replicas=2', out: /deployment.apps\/web scaled/ },
  { words: 'get deployment web -o jsonpath={.spec.replicas}', out: /^2$/ },
  { words: 'scale deployment web --replicas=0', out: /scaled/ },
  { words: 'rollout restart deployment/web', out: /deployment.apps\/web restarted/ },
  { words: 'wait --for=jsonpath={.spec.replicas}=0 deployment/web --timeout=5s', since: 23, out: /condition met/ },
  { words: 'describe service web', out: /Name: +web[\s\S]*TargetPort: +9090\/TCP/ },
  { words: 'describe deployment web', out: /Name: +web[\s\S]*Replicas: +0 desired/ },
  { words: 'explain service.spec.clusterIP', out: /clusterIP/ },
  { words: 'auth can-i create pods', out: /^yes/ },
  { words: 'auth can-i create pods --as=jane', code: 1, out: /^no/ },
  { words: 'auth can-i list pods --as=system:serviceaccount:default:nobody', code: 1, out: /^no/ },
  { words: 'create token runner', since: 24, out: /^[\w-]+\.[\w-]+\.[\w-]+\s*$/ },
  // The generators of create.
  { words: 'create configmap files --from-file=HOME/literal.txt', out: /created/ },
  { words: 'get configmap files -o jsonpath={.data}', out: /"literal.txt":"from a file"/ },
  { words: 'create secret tls pair --cert=HOME/tls.crt --key=HOME/tls.key', out: /secret\/pair created/ },
  { words: 'get secret pair -o jsonpath={.type}', out: /^kubernetes.io\/tls$/ },
  {
    words: 'create secret docker-registry pull --docker-username=a --docker-password=b --docker-server=c.example',
    out: /secret\/pull created/,
  },
  { words: 'create service clusterip plain --tcp=80:8080', out: /service\/plain created/ },
  { words: 'create service nodeport outside --tcp=80', out: /service\/outside created/ },
  { words: 'get service outside -o jsonpath={.spec.ports[0].nodePort}', out: /^3[0-2]\d{3}$/ },
  { words: 'create service loadbalancer balanced --tcp=443', out: /service\/balanced created/ },
  { words: 'create service externalname elsewhere --external-name=a.example', out: /service\/elsewhere created/ },
  { words: 'create clusterrole NAMESPACE --verb=get --resource=pods', out: /created/ },
  { words: 'create clusterrolebinding NAMESPACE --clusterrole=NAMESPACE --user=jane', out: /created/ },
  { words: 'auth can-i get pods --as=jane', out: /^yes/ },
  { words: 'create namespace NAMESPACE-extra', out: /namespace\/version-\d+-extra created/ },
  { words: 'create job once --image=busybox -- true', out: /job.batch\/once created/ },
  {
    words: "create cronjob often --image=busybox '--schedule=*/5 * * * *' -- true",
    since: 21,
    out: /cronjob.batch\/often created/,
  },
  { words: 'create job manual --from=cronjob/often', since: 21, out: /job.batch\/manual created/ },
  { words: 'get job manual -o jsonpath={.metadata.ownerReferences[0].kind}', since: 21, out: /^CronJob$/ },
  { words: 'create ingress door --rule=a.example/*=web:80,tls=pair', out: /door created/ },
  { words: 'create poddisruptionbudget keep --selector=app=web --min-available=1', since: 21, out: /keep created/ },
  { words: 'create priorityclass NAMESPACE --value=100', out: /created/ },
  { words: 'create quota limited --hard=pods=3', out: /resourcequota\/limited created/ },
  { words: 'create -f - --dry-run=server', input: configMap('dry'), out: /configmap\/dry created \(server dry run\)/ },
  { words: 'get configmap dry', code: 1, err: /NotFound/ },
  { words: 'run alone --image=nginx --port=80 --labels=app=alone', out: /pod\/alone created/ },
  { words: 'expose pod alone --port=80 --name=exposed', out: /service\/exposed exposed/ },
  { words: 'expose deployment web --port=81 --target-port=8080 --name=exposed-too', out: /exposed-too exposed/ },
  { words: 'autoscale deployment web --min=1 --max=3', out: /autoscaled/ },
  { words: `get hpa web`, out: /Deployment\/web +.*1 +3 / },
  { words: 'get hpa web -o jsonpath={.spec.maxReplicas}', out: /^3$/ },
  // Changes.
  { words: 'set image deployment/web app=web:7', out: /image updated/ },
  { words: 'set env deployment/web COLOUR=blue', out: /env updated/ },
  { words: 'set env deployment/web --list', out: /COLOUR=blue/ },
  { words: 'set resources deployment/web --limits=cpu=100m', out: /resource requirements updated/ },
  { words: 'set serviceaccount deployment/web runner', out: /serviceaccount updated/ },
  { words: 'set selector service/plain app=web', out: /selector updated/ },
  { words: 'set subject rolebinding peek --user=joe', out: /subjects updated/ },
  { words: 'auth can-i list pods --as=joe', out: /^yes/ },
  {
    words:
      'get deployment web -o jsonpath={.spec.template.spec.containers[0].image}/{.spec.template.spec.serviceAccountName}',
    out: /^web:7\/runner$/,
  },
  { words: 'rollout pause deployment/web', out: /paused/ },
  { words: 'rollout pause deployment/web', code: 1, err: /is already paused/ },
  { words: 'rollout resume deployment/web', out: /resumed/ },
  { words: 'edit configmap made', env: { EDITOR: 'sed -i s/"e: f"/"e: g"/' }, out: /configmap\/made edited/ },
  { words: 'get configmap made -o jsonpath={.data.e}', out: /^g$/ },
  { words: 'edit configmap made', env: { EDITOR: 'true' }, err: /Edit cancelled, no changes made/ },
  { words: 'replace -f -', input: configMap('made'), out: /configmap\/made replaced/ },
  { words: 'replace -f -', input: configMap('absent'), code: 1, err: /NotFound/ },
  { words: 'replace --force -f HOME/made.yaml', out: /configmap\/made replaced/ },
  { words: 'label configmap made tier=front', out: /labeled/ },
  { words: 'label configmap made tier=back', code: 1, err: /already has a value|--overwrite is false/ },
  { words: 'label configmap made tier-', out: /labeled/ },
  { words: 'annotate configmap made note=y --overwrite', out: /annotate/ },
  {
    words: 'patch deployment web --subresource=status --type=merge -p {"status":{"observedGeneration":1}}',
    since: 24,
    out: /patched/,
  },
  { words: 'scale --current-replicas=9 --replicas=1 deployment/web', code: 1, err: /Expected replicas to be 9, was 0/ },
  // diff tells a difference by 1, agreement by 0.
  { words: 'diff -f -', input: configMap('made').replace('k: v', 'k: w'), code: 1, out: /- {2}k: v\n\+ {2}k: w/ },
  { words: 'diff -f -', input: configMap('made') },
  // Pruning, by label and by ApplySet.
  {
    words: 'apply -f HOME/both.yaml --prune -l set=prune --prune-allowlist=core/v1/ConfigMap',
    since: 26,
    out: /one created\n.*two created/,
  },
  {
    words: 'apply -f HOME/one.yaml --prune -l set=prune --prune-allowlist=core/v1/ConfigMap',
    since: 26,
    out: /two pruned/,
  },
  { words: 'get configmap two', code: 1 },
  {
    words: 'apply -f HOME/both.yaml --prune --applyset=set',
    since: 27,
    env: { KUBECTL_APPLYSET: 'true' },
    out: /two (created|serverside-applied)/,
  },
  {
    words: 'apply -f HOME/one.yaml --prune --applyset=set',
    since: 27,
    env: { KUBECTL_APPLYSET: 'true' },
    out: /two pruned/,
  },
  { words: 'get configmap two', code: 1, err: /NotFound/ },
  { words: 'get secret set -o jsonpath={.metadata.labels}', since: 27, out: /applyset.kubernetes.io\/id/ },
  { words: 'apply view-last-applied configmap settings', out: /colour: red/ },
  { words: 'apply set-last-applied -f HOME/one.yaml --create-annotation=true', since: 26, out: /configmap\/one/ },
  { words: 'apply -k HOME/kustom', out: /configmap\/k-one created/ },
  // Printers.
  { words: 'get service web -o json', out: /^\{\n +"apiVersion": "v1"/ },
  { words: 'get service web -o yaml', out: /^apiVersion: v1\nkind: Service/ },
  { words: 'get service web -o wide', out: /SELECTOR[\s\S]*app=web/ },
  { words: 'get service web -o custom-columns=N:.metadata.name,P:.spec.ports[0].port', out: /^N +P\nweb +80\n$/ },
  { words: "get services -o 'go-template={{range .items}}{{.metadata.name}};{{end}}'", out: /web;/ },
  {
    words: "get services -o 'jsonpath={range .items[*]}{.metadata.name};{end}' --sort-by=.metadata.name",
    out: /^balanced;/,
  },
  { words: 'get services --show-labels --no-headers', out: /web .*<none>/ },
  { words: 'get all -L app', out: /deployment.apps\/web/ },
  { words: 'get services --field-selector=metadata.name=web -o name', out: /^service\/web\n$/ },
  { words: 'get configmaps --chunk-size=2 -o name', out: /made[\s\S]*settings/ },
  { words: 'get configmap settings --show-managed-fields -o yaml', since: 21, out: /manager: kubectl/ },
  { words: 'get configmap nothing --ignore-not-found', out: /^$/ },
  { words: 'get nonsense', code: 1, err: /doesn't have a resource type "nonsense"/ },
  { words: 'get --raw /api/v1/namespaces/NAMESPACE/configmaps/made', out: /^\{.*"kind":"ConfigMap"/ },
  { words: 'get --raw /nothing/here', code: 1, err: /NotFound|could not find/ },
  { words: 'describe configmap made', out: /Name: +made/ },
  { words: 'describe pod alone', out: /Name: +alone[\s\S]*Image: +nginx/ },
  { words: 'describe cronjob often', since: 21, out: /Schedule: +\*\/5/ },
  { words: 'describe ingress door', out: /a.example/ },
  { words: 'describe namespace NAMESPACE', out: /Status: +Active/ },
  // What the server knows and who may do what.
  { words: 'explain deployment --recursive', out: /template[\s\S]*containers/ },
  { words: 'explain pod.nonsense', code: 1, err: /field "nonsense" does not exist/ },
  { words: 'api-resources --verbs=list --namespaced -o name', out: /deployments.apps[\s\S]*roles.rbac/ },
  { words: 'api-resources --api-group=apps', out: /statefulsets +sts +apps\/v1 +true +StatefulSet/ },
  { words: 'api-versions', out: /apps\/v1[\s\S]*rbac.authorization.k8s.io\/v1/ },
  { words: 'version -o json', out: /"serverVersion": \{[\s\S]*"gitVersion": "v1\./ },
  { words: 'cluster-info', out: /control plane.* is running at/ },
  { words: 'cluster-info dump', out: /ReplicationControllerList[\s\S]*PodList/ },
  { words: 'auth can-i --list', out: /\*\.\*[\s\S]*\[\*\]/ },
  { words: 'auth can-i get pods --subresource=log -q' },
  { words: 'auth whoami', since: 28, out: /Username +admin/ },
  { words: 'auth reconcile -f -', input: role, out: /reconciled/ },
  { words: 'get role peek -o jsonpath={.rules[*].resources}', out: /pods.*services/ },
  { words: 'create token runner --duration=15m --audience=me', since: 24, out: /^[\w-]+\.[\w-]+\.[\w-]+\s*$/ },
  { words: 'create token nobody', since: 24, code: 1, err: /serviceaccounts "nobody" not found/ },
  { words: 'config view --minify', out: /current-context/ },
  { words: 'top pods', code: 1, err: /Metrics API not available/ },
  { words: 'events', since: 26, err: /No events found/ },
  { words: 'wait --for=delete configmap/nothing --timeout=5s', since: 23 },
  { words: 'wait --for=condition=Available deployment/web --timeout=1s', code: 1, err: /timed out waiting/ },
  // Deletion, each way.
  { words: 'delete job once --cascade=orphan --wait=false', out: /deleted/ },
  { words: 'delete job manual --cascade=foreground --wait=false', since: 21, out: /deleted/ },
  { words: 'delete cronjob often --cascade=background', since: 21, out: /deleted/ },
  { words: 'delete pod alone --grace-period=0 --force', out: /alone" (force )?deleted/ },
  { words: 'delete configmap nothing', code: 1, err: /NotFound/ },
  { words: 'delete configmap nothing --ignore-not-found' },
  { words: 'delete configmap settings --dry-run=server', out: /deleted \(server dry run\)/ },
  { words: 'delete configmap -l set=prune', out: /deleted/ },
  { words: 'delete clusterrole,clusterrolebinding,priorityclass NAMESPACE', out: /deleted/ },
  { words: 'delete deployment,service --all', out: /deployment.apps "web" deleted[\s\S]*service "web" deleted/ },
]
