import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileExpression } from './environment.ts'

// What Kubernetes' documentation and upstream's tests of the library say of each.
for (const text of [
  'isQuantity("1.3G") && isQuantity("-0.5Ki") && isQuantity("1e3") && !isQuantity("1.3GG") && !isQuantity("")',
  'quantity("500000G").isInteger() && quantity("500000G").asInteger() == 500000000000000',
  '!quantity("500m").isInteger() && quantity("50.703k").asApproximateFloat() == 50703.0',
  'quantity("1G") == quantity("1000M") && quantity("1Gi") != quantity("1G")',
  'quantity("50k").add(20) == quantity("50020") && quantity("50k").sub(quantity("20k")) == quantity("30k")',
  'quantity("200M").compareTo(quantity("0.2G")) == 0 && quantity("50M").compareTo(quantity("50Mi")) == -1',
  'quantity("50Mi").isGreaterThan(quantity("50M")) && quantity("-1").sign() == -1 && quantity("0").sign() == 0',
  'quantity(self.cpu).isLessThan(quantity("1"))',
  'ip("127.0.0.1").family() == 4 && ip("::1").family() == 6 && ip("127.0.0.1").isLoopback()',
  'ip("0.0.0.0").isUnspecified() && ip("ff02::1").isLinkLocalMulticast() && ip("fe80::1").isLinkLocalUnicast()',
  'ip("192.168.0.1").isGlobalUnicast() && !ip("255.255.255.255").isGlobalUnicast()',
  'ip.isCanonical("2001:db8::abcd") && !ip.isCanonical("2001:DB8::ABCD")',
  'string(ip("2001:DB8::1")) == "2001:db8::1" && ip("::1") == ip("0:0:0:0:0:0:0:1")',
  'isCIDR("10.0.0.0/8") && isCIDR("10.1.2.3/8") && !isCIDR("10.0.0.0/33") && !isCIDR("10.0.0.0")',
  'cidr("192.168.0.0/24").containsIP(ip("192.168.0.1")) && cidr("192.168.0.0/24").containsIP("192.168.0.1")',
  '!cidr("192.168.0.0/24").containsIP("::1") && cidr("10.0.0.0/8").containsCIDR("10.9.0.0/16")',
  '!cidr("10.0.0.0/16").containsCIDR(cidr("10.0.0.0/8"))',
  'cidr("192.168.0.1/24").ip() == ip("192.168.0.1") && cidr("192.168.0.1/24").masked() == cidr("192.168.0.0/24")',
  'cidr("2001:db8::/32").prefixLength() == 32 && string(cidr("2001:DB8::1/33").masked()) == "2001:db8::/33"',
  '!format.dns1123Label().validate("contour").hasValue() && format.dns1123Label().validate("Bad_").hasValue()',
  'format.named("qualifiedName").hasValue() && !format.named("nothing").hasValue()',
  'format.named("date").value().validate("2024-02-30").hasValue()',
  '!format.datetime().validate("2024-02-29T10:00:00Z").hasValue() && !format.dns1123LabelPrefix().validate("a-").hasValue()',
  'format.uuid().validate("no").value()[0] == "does not match the UUID format"',
  'url("https://user@example.com:80/a%20b?k=1&k=2").getHost() == "example.com:80" && isURL("/path") && !isURL("../x")',
  'url("https://[::1]:80/").getHostname() == "::1" && url("https://example.com:80").getPort() == "80"',
  'url("https://example.com/a%20b/").getEscapedPath() == "/a%20b/" && url("/path").getScheme() == ""',
  'url("https://example.com/?k=1&k=2").getQuery()["k"] == ["1", "2"]',
  '"123 abc 456".findAll("[0-9]+") == ["123", "456"] && "123 abc 456".findAll("[0-9]+", 1) == ["123"]',
  '[1, 2, 2, 3].indexOf(2) == 1 && [1, 2, 2, 3].lastIndexOf(2) == 2 && [1].indexOf(9) == -1',
  '["a"].all(ip, ip == "a")',
])
  test(text, () => assert.equal(compileExpression(text)({ self: { cpu: '100m' } }), true))

for (const [text, error] of [
  ['quantity("many")', /quantities must match the regular expression/],
  ['quantity("500m").asInteger()', /cannot convert value to integer/],
  ['quantity("1e999")', /quantities must match/],
  ['ip("10.0.0.256")', /IP Address "10.0.0.256" parse error/],
  ['cidr("10.0.0.0")', /CIDR "10.0.0.0" parse error/],
  ['url("../x")', /URL parse error during conversion from string/],
] as const)
  test(`${text} fails`, () => assert.throws(() => compileExpression(text)({}), error))
