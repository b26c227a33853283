-- What maps alone cannot do: conditions on headers, queries and methods, and filters. HAProxy asks for it only where a route has them.
-- Words in maps are percent-encoded; see lower-maps.ts and lower-actions.ts for what they mean.

-- `places` is written in front of this: the paths of the maps and the socket for mirrored requests.

local groups = Map.new(places.groups, Map._str)
local regexes = Map.new(places.regexes, Map._reg)
local actions = Map.new(places.actions, Map._str)

local function decode(text)
  return (text:gsub('%%(%x%x)', function(digits) return string.char(tonumber(digits, 16)) end))
end

local function encode(text)
  return (text:gsub('[^%w_./-]', function(byte) return ('%%%02X'):format(byte:byte()) end))
end

-- Split by one letter, empty pieces included.
local function split(text, letter)
  local pieces = {}
  for piece in (text .. letter):gmatch('([^' .. letter .. ']*)' .. letter) do pieces[#pieces + 1] = piece end
  return pieces
end

-- Parsed texts are kept, as long as they are not too many.
local function remembering(parse)
  local known, count = {}, 0
  return function(text)
    local found = known[text]
    if found == nil then
      if count >= 10000 then known, count = {}, 0 end
      found = parse(text)
      known[text] = found
      count = count + 1
    end
    return found
  end
end

local parse_group = remembering(function(text)
  local candidates = {}
  for _, candidate in ipairs(split(text, ' ')) do
    local conditions, hit = candidate:match('^([^>]*)>(.*)$')
    local parsed = {}
    if conditions ~= '' then
      for _, condition in ipairs(split(conditions, ';')) do
        local words = split(condition, ':')
        for at, word in ipairs(words) do words[at] = decode(word) end
        parsed[#parsed + 1] = words
      end
    end
    candidates[#candidates + 1] = { conditions = parsed, hit = hit }
  end
  return candidates
end)

local parse_action = remembering(function(text)
  local operations = {}
  for _, operation in ipairs(split(text, ' ')) do
    local words = split(operation, ':')
    for at, word in ipairs(words) do words[at] = decode(word) end
    operations[#operations + 1] = words
  end
  return operations
end)

-- All values of a header as one, as RFC 9110 (5.3) lets a recipient join them.
local function header(headers, name)
  local values = headers[name]
  if values == nil then return nil end
  local all, at = {}, 0
  while values[at] ~= nil do
    all[#all + 1] = values[at]
    at = at + 1
  end
  return table.concat(all, ',')
end

local function parse_query(text)
  local found = {}
  for _, pair in ipairs(split(text or '', '&')) do
    local name, value = pair:match('^([^=]*)=?(.*)$')
    name = decode((name:gsub('+', ' ')))
    -- Of several the first counts.
    if found[name] == nil then found[name] = decode((value:gsub('+', ' '))) end
  end
  return found
end

local function matches(id, value)
  return value ~= nil and regexes:lookup(id .. ':' .. value) ~= nil
end

core.register_action('choose', { 'http-req' }, function(txn)
  local text = groups:lookup(txn:get_var('txn.hit'):sub(2))
  local headers, query
  for _, candidate in ipairs(text and parse_group(text) or {}) do
    local holds = true
    for _, condition in ipairs(candidate.conditions) do
      local kind, name, value = condition[1], condition[2], condition[3]
      if kind == 'm' then
        holds = txn.sf:method() == name
      elseif kind == 'p' then
        holds = matches(name, txn.sf:path())
      elseif kind == 'h' or kind == 'H' then
        headers = headers or txn.http:req_get_headers()
        local got = header(headers, name)
        if kind == 'h' then holds = got == value else holds = matches(value, got) end
      else
        query = query or parse_query(txn.sf:query())
        local got = query[name]
        if kind == 'q' then holds = got == value else holds = matches(value, got) end
      end
      if not holds then break end
    end
    if holds then
      txn:set_var('txn.hit', candidate.hit)
      return
    end
  end
  txn:unset_var('txn.hit')
end)

local function action_of(txn)
  local id = split(txn:get_var('txn.hit') or '', '|')[4]
  local text = id and actions:lookup(id)
  return text and parse_action(text) or {}
end

-- A path changed by `full`, `regex` or `prefix`, without the query.
local function changed_path(txn, path, kind, to, prefix)
  if kind == 'full' then return to end
  if kind == 'regex' then return txn.c:regsub(path, prefix, to) end
  if kind ~= 'prefix' then return path end
  local rest = path:sub(#prefix + 1):gsub('^/', '')
  local base = to:gsub('/+$', '')
  if rest == '' then
    -- The slash at the end of the request stays, and a path is never empty.
    if base == '' or path:sub(-1) == '/' and #path > #prefix then return base .. '/' end
    return base
  end
  return base .. '/' .. rest
end

local function with_query(txn, path)
  local query = txn.sf:query()
  if query ~= nil and query ~= '' then return path .. '?' .. query end
  return path
end

local default_ports = { http = '80', https = '443' }

local function redirect(txn, words, scheme, port)
  local status, to_scheme, to_host, to_port, kind, path, prefix = table.unpack(words, 2)
  local new_scheme = to_scheme ~= '' and to_scheme or scheme
  local host = to_host
  if host == '' then host = (txn.sf:req_fhdr('host') or ''):gsub(':%d*$', '') end
  local new_port = to_port
  if new_port == '' then new_port = to_scheme ~= '' and default_ports[new_scheme] or port end
  if new_port == default_ports[new_scheme] then new_port = '' else new_port = ':' .. new_port end
  local new_path = with_query(txn, changed_path(txn, txn.sf:path(), kind, path, prefix))
  local reply = txn:reply()
  reply:set_status(tonumber(status))
  reply:add_header('location', new_scheme .. '://' .. host .. new_port .. new_path)
  reply:add_header('content-length', '0')
  txn:done(reply)
end

local function allows_origin(list, origin)
  for _, allowed in ipairs(split(list, ' ')) do
    if allowed == '*' or allowed == origin then return true end
    local before, after = allowed:match('^([^*]*)%*(.*)$')
    if
      before
      and #origin > #before + #after
      and origin:sub(1, #before) == before
      and origin:sub(#origin - #after + 1) == after
      -- The star stands for labels of a host, and never for a path.
      and not origin:sub(#before + 1):find('/', 1, true)
    then
      return true
    end
  end
  return false
end

-- Answers a preflight (Fetch, 4.8); for other requests it is remembered whom the answer is for.
local function cors(txn, words)
  local origins, methods, headers, expose, credentials, max_age = table.unpack(words, 2)
  local origin = txn.sf:req_fhdr('origin') or ''
  if origin == '' then return end
  local asked = txn.sf:req_fhdr('access-control-request-method') or ''
  local allowed = allows_origin(origins, origin)
  if allowed then txn:set_var('txn.origin', origin) end
  if txn.sf:method() ~= 'OPTIONS' or asked == '' then return end
  local reply = txn:reply()
  reply:set_status(204)
  if allowed then
    local with_credentials = credentials == 'true'
    reply:add_header('access-control-allow-origin', origins == '*' and not with_credentials and '*' or origin)
    reply:add_header('vary', 'origin')
    if methods == '*' and with_credentials then methods = asked end
    if methods ~= '' then reply:add_header('access-control-allow-methods', methods) end
    local wanted = txn.sf:req_fhdr('access-control-request-headers') or ''
    if headers == '*' and (with_credentials or wanted ~= '') then headers = wanted end
    if headers ~= '' then reply:add_header('access-control-allow-headers', headers) end
    if expose ~= '' then reply:add_header('access-control-expose-headers', expose) end
    if with_credentials then reply:add_header('access-control-allow-credentials', 'true') end
    reply:add_header('access-control-max-age', max_age)
  end
  txn:done(reply)
end

local function refusal(status, says, txn, body)
  local reply = txn:reply()
  reply:set_status(status)
  local error = status == 500 and 'proxy_internal_error' or 'http_request_denied'
  reply:add_header('proxy-status', 'plumb; error=' .. error .. '; details="' .. says .. '"')
  reply:add_header('content-length', tostring(#(body or '')))
  if body then reply:set_body(body) end
  return reply
end

local function refuse(txn, status, says)
  txn:done(refusal(status, says, txn))
end

local function is_within(address, prefixes)
  for prefix in prefixes:gmatch('%S+') do
    if core.match_addr(address, core.parse_addr(prefix)) then return true end
  end
  return false
end

-- Clients of other addresses are refused, unless they may prove themselves; answers whether an address is proof enough.
local function sources(txn, words)
  local address = core.parse_addr(txn.sf:src())
  local allow, deny, is_enough = words[2], words[3], words[4] == 'enough'
  local is_allowed = allow ~= '' and is_within(address, allow)
  if is_within(address, deny) or allow ~= '' and not is_allowed and not is_enough then
    refuse(txn, 403, 'not from this address')
  end
  return is_allowed and is_enough
end

-- Reads a value of DER (X.690, 8.1) at a place: where its content begins and ends.
local function der(bytes, at)
  local length = bytes:byte(at + 1)
  local from = at + 2
  if length > 127 then
    local digits = length - 128
    length = 0
    for place = from, from + digits - 1 do length = length << 8 | bytes:byte(place) end
    from = from + digits
  end
  return from, from + length - 1
end

-- Whether a certificate in DER names itself as its issuer (RFC 5280, 4.1).
local function is_root(certificate)
  local at = der(certificate, (der(certificate, 1)))
  local fields = {}
  while #fields < 5 do
    local _, last = der(certificate, at)
    -- The version, which may be missing.
    if certificate:byte(at) ~= 0xa0 then fields[#fields + 1] = certificate:sub(at, last) end
    at = last + 1
  end
  return fields[3] == fields[5]
end

-- How many certificates the client showed beside its own, roots left out.
local function shown_depth(txn)
  local own, chain = txn.sf:ssl_c_der(), txn.sf:ssl_c_chain_der() or ''
  local at, count = 1, 0
  while at <= #chain do
    local _, last = der(chain, at)
    local one = chain:sub(at, last)
    if one ~= own and not is_root(one) then count = count + 1 end
    at = last + 1
  end
  return count
end

-- What OpenSSL calls errors that say no more than that the authority is unknown (X509_V_ERR_*).
local unknown_authority = { ['18'] = true, ['19'] = true, ['20'] = true, ['21'] = true, ['27'] = true }

-- Why a connection was made with no right certificate; nil when it was made with one, '' with none.
local function certificate_fault(txn, authority, depth)
  local listener = txn:get_var('sess.listener') or ''
  if listener:match('~(.*)$') ~= authority then return 'asked for another authority' end
  if txn.sf:ssl_c_used() ~= '1' then return '' end
  for _, error in ipairs({ txn.sf:ssl_c_verify(), txn.sf:ssl_c_err(), txn.sf:ssl_c_ca_err() }) do
    if error ~= '0' then return 'certificate verify error ' .. error, unknown_authority[error] end
  end
  if shown_depth(txn) > depth then return 'certificate chain too long' end
  return nil
end

-- The certificate of the client, as nginx passes it on: PEM, percent-encoded.
local function escaped_certificate(txn)
  local lines = txn.c:base64(txn.sf:ssl_c_der()):gsub(('.'):rep(64), '%0\n'):gsub('\n$', '')
  local pem = '-----BEGIN CERTIFICATE-----\n' .. lines .. '\n-----END CERTIFICATE-----\n'
  return (pem:gsub('[^%w_.~-]', function(byte) return ('%%%02X'):format(byte:byte()) end))
end

local told_of_clients = { 'ssl-client-cert', 'ssl-client-verify', 'ssl-client-subject-dn', 'ssl-client-issuer-dn' }

-- Lets pass who made the connection with a right certificate, and tells pods of it as ingress-nginx does (auth-tls-secret).
local function show(txn, words, scheme, port)
  local authority, mode, depth, common_name, page, passes = table.unpack(words, 2)
  for _, name in ipairs(told_of_clients) do txn.http:req_del_header(name) end
  if mode == 'off' then return txn.http:req_set_header('ssl-client-verify', 'NONE') end
  if scheme ~= 'https' then redirect(txn, { 'redirect', '308', 'https', '', '', '', '', '' }, scheme, port) end
  local fault, is_unknown = certificate_fault(txn, authority, tonumber(depth))
  local is_let = fault == nil or fault == '' and mode ~= 'required' or is_unknown and mode == 'unverified'
  if not is_let and page ~= '' then
    local reply = txn:reply()
    reply:set_status(302)
    reply:add_header('location', page)
    reply:add_header('content-length', '0')
    txn:done(reply)
  elseif not is_let then
    refuse(txn, 400, fault == '' and 'no certificate of the client' or fault)
  end
  if fault == '' then
    if common_name ~= '' then refuse(txn, 403, 'no certificate of the client') end
    return txn.http:req_set_header('ssl-client-verify', 'NONE')
  end
  local name = 'CN=' .. (txn.sf:ssl_c_s_dn('CN') or '')
  if common_name ~= '' and txn.c:regsub(name, '^(?:' .. common_name .. ')$', '') ~= '' then
    refuse(txn, 403, 'not this name')
  end
  txn.http:req_set_header('ssl-client-verify', fault == nil and 'SUCCESS' or 'FAILED:' .. fault)
  txn.http:req_set_header('ssl-client-subject-dn', txn.sf:ssl_c_s_dn('', 0, 'rfc2253') or '')
  txn.http:req_set_header('ssl-client-issuer-dn', txn.sf:ssl_c_i_dn('', 0, 'rfc2253') or '')
  if passes == 'true' then txn.http:req_set_header('ssl-client-cert', escaped_certificate(txn)) end
end

-- MD5 a thousand times, as the Apache HTTP Server does it (apr_md5_encode).
local function apr1(txn, password, salt)
  local function md5(text) return txn.c:digest(text, 'md5') end
  local final = md5(password .. salt .. password)
  local text = password .. '$apr1$' .. salt
  for left = #password, 1, -16 do text = text .. final:sub(1, math.min(16, left)) end
  local bits = #password
  while bits > 0 do
    text = text .. (bits & 1 == 1 and '\0' or password:sub(1, 1))
    bits = bits >> 1
  end
  final = md5(text)
  for round = 0, 999 do
    local is_odd = round & 1 == 1
    text = (is_odd and password or final) .. (round % 3 ~= 0 and salt or '') .. (round % 7 ~= 0 and password or '')
    final = md5(text .. (is_odd and final or password))
  end
  local letters = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  local out = {}
  local function put(value, count)
    for _ = 1, count do
      out[#out + 1] = letters:sub((value & 63) + 1, (value & 63) + 1)
      value = value >> 6
    end
  end
  local byte = function(at) return final:byte(at + 1) end
  for _, at in ipairs({ { 0, 6, 12 }, { 1, 7, 13 }, { 2, 8, 14 }, { 3, 9, 15 }, { 4, 10, 5 } }) do
    put(byte(at[1]) << 16 | byte(at[2]) << 8 | byte(at[3]), 4)
  end
  put(byte(11), 2)
  return '$apr1$' .. salt .. '$' .. table.concat(out)
end

local function is_password(txn, list, hash, password)
  local salt = hash:match('^%$apr1%$([^$]*)%$')
  if salt then return apr1(txn, password, salt) == hash end
  local kind, rest = hash:match('^{(%u+)}(.*)$')
  if kind == 'PLAIN' then return rest == password end
  if kind == 'SHA' then return txn.c:base64(txn.c:digest(password, 'sha1')) == rest end
  if kind == 'SSHA' then
    local both = txn.c:b64dec(rest) or ''
    return #both >= 20 and txn.c:digest(password .. both:sub(21), 'sha1') == both:sub(1, 20)
  end
  local holds = txn.sf:http_auth(list)
  return holds == true or holds == 1 or holds == '1'
end

-- What was found to be right; hashes are slow by intent. A list with other users has another name.
local passed, passed_count = {}, 0

local function basic(txn, list, realm)
  local given = txn.sf:req_fhdr('authorization') or ''
  local key = list .. ' ' .. given
  if passed[key] then return end
  local scheme, token = given:match('^(%a+) +(%S+)$')
  if scheme and scheme:lower() == 'basic' then
    local user, password = (txn.c:b64dec(token) or ''):match('^([^:]*):(.*)$')
    local hash = user and actions:lookup(list .. ':' .. encode(user))
    if hash and is_password(txn, list, decode(hash), password) then
      if passed_count >= 10000 then passed, passed_count = {}, 0 end
      passed[key] = true
      passed_count = passed_count + 1
      return
    end
  end
  local reply = refusal(401, 'no right name and password', txn)
  reply:add_header('www-authenticate', 'Basic realm="' .. realm .. '", charset="UTF-8"')
  txn:done(reply)
end

-- Those of its body and its connection, and how clients of our own tell the gateway what they mean.
local not_copied = { ['content-length'] = true, ['transfer-encoding'] = true, connection = true, upgrade = true, expect = true, ['x-plumb-method'] = true }

-- The headers of a request for a client of our own.
local function copied_headers(txn)
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not not_copied[name] then
      headers[name] = {}
      for at, value in pairs(values) do headers[name][at + 1] = value end
    end
  end
  return headers
end

-- A backend by its own name, where HAProxy knows it by another.
local function name_of(backend) return backend:match('[^@]*$') end

local verbs = { GET = 'get', HEAD = 'head', DELETE = 'delete', POST = 'post', PUT = 'put' }

-- Asks a backend who may pass, as ingress-nginx does (auth-url).
local function ask(txn, words, scheme)
  local backend, host, path, method, sign_in, parameter, wanted = table.unpack(words, 2)
  local own_host = txn.sf:req_fhdr('host') or ''
  local uri = with_query(txn, txn.sf:path())
  local url = scheme .. '://' .. own_host .. uri
  local headers = copied_headers(txn)
  headers['host'] = { host }
  headers['x-original-url'] = { url }
  headers['x-original-method'] = { txn.sf:method() }
  headers['x-auth-request-redirect'] = { uri }
  for at = 9, #words, 2 do headers[words[at]:lower()] = { words[at + 1] } end
  headers['x-plumb-mirror'] = { backend }
  local client = core.httpclient()
  local answer = client[verbs[method]](client, { url = 'http://' .. host .. path, headers = headers, dst = places.mirror, timeout = 5000 })
  local status = answer and answer.status or 0
  local got = answer and answer.headers or {}
  if status >= 200 and status < 300 then
    for name in wanted:gmatch('%S+') do
      txn.http:req_del_header(name)
      local values = got[name]
      if values then for at = 0, #values do txn.http:req_add_header(name, values[at]) end end
    end
    return
  end
  if status == 401 and sign_in ~= '' then
    local names = { host = own_host, http_host = own_host, scheme = scheme, request_uri = uri, escaped_request_uri = encode(uri) }
    local location = sign_in:gsub('%$([%w_]+)', names)
    if not location:find('[?&]' .. parameter:gsub('%-', '%%-') .. '=') then
      location = location .. (location:find('?', 1, true) and '&' or '?') .. parameter .. '=' .. encode(url)
    end
    local reply = txn:reply()
    reply:set_status(302)
    reply:add_header('location', location)
    reply:add_header('content-length', '0')
    txn:done(reply)
  end
  local reply
  if status == 401 or status == 403 then reply = refusal(status, 'refused by ' .. name_of(backend), txn)
  else reply = refusal(500, name_of(backend) .. ' said nothing about who may pass', txn) end
  if status == 401 and got['www-authenticate'] then reply:add_header('www-authenticate', got['www-authenticate'][0]) end
  txn:done(reply)
end

-- What describes a message itself, and nothing of who may pass.
local of_message = { host = true, connection = true, date = true, ['keep-alive'] = true, te = true, trailer = true, ['transfer-encoding'] = true, upgrade = true }

-- Asks a backend who may pass, as the client asked (GEP-1494).
local function check(txn, words)
  local backend, prefix, sent, wanted = words[2], words[3], words[4], words[5]
  local host = txn.sf:req_fhdr('host') or ''
  local asked = txn.http:req_get_headers()
  local headers = {}
  for name in (sent .. ' authorization'):gmatch('%S+') do
    local values = not of_message[name] and name ~= 'content-length' and asked[name]
    if values then
      headers[name] = {}
      for at, value in pairs(values) do headers[name][at + 1] = value end
    end
  end
  headers['host'] = { host }
  headers['x-plumb-mirror'] = { backend }
  headers['x-plumb-method'] = { txn.sf:method() }
  local url = 'http://' .. host .. prefix .. with_query(txn, txn.sf:path())
  local answer = core.httpclient():get({ url = url, headers = headers, dst = places.mirror, timeout = 5000 })
  local status = answer and answer.status or 0
  if status == 200 then
    local is_wanted = {}
    for name in wanted:gmatch('%S+') do is_wanted[name] = true end
    for name in pairs(is_wanted) do
      if not of_message[name] then txn.http:req_del_header(name) end
    end
    for name, values in pairs(answer.headers) do
      local is_copied = wanted == '' and not name:find('^content%-') or is_wanted[name]
      if is_copied and not of_message[name] and name ~= 'content-length' then
        txn.http:req_del_header(name)
        for at = 0, #values do txn.http:req_add_header(name, values[at]) end
      end
    end
    return
  end
  if status < 300 or status > 499 then refuse(txn, 403, name_of(backend) .. ' said nothing about who may pass') end
  local reply = refusal(status, 'refused by ' .. name_of(backend), txn, answer.body)
  for name, values in pairs(answer.headers) do
    if not of_message[name] and name ~= 'content-length' then
      for at = 0, #values do reply:add_header(name, values[at]) end
    end
  end
  txn:done(reply)
end

-- Sends a copy to another backend and forgets about it.
local function mirror(txn, words)
  local backend, numerator, denominator = words[2], tonumber(words[3]), tonumber(words[4])
  if math.random() * denominator >= numerator then return end
  local verb = verbs[txn.sf:method()]
  if verb == nil then return end
  local headers = copied_headers(txn)
  local host = words[5] ~= '' and words[5] or txn.sf:req_fhdr('host') or 'mirror'
  headers['host'] = { host }
  headers['x-plumb-mirror'] = { backend }
  local url = 'http://' .. host .. with_query(txn, txn.sf:path())
  local body = words[6] == '' and txn.sf:req_body() or nil
  core.register_task(function()
    local request = { url = url, headers = headers, dst = places.mirror, timeout = 5000 }
    if body ~= nil and body ~= '' then request.body = body end
    local client = core.httpclient()
    client[verb](client, request)
  end)
end

-- What a default backend is told, as ingress-nginx tells it; `words` names the Ingress and the Service.
local function told_of_failure(code, format, uri, words)
  return {
    ['x-code'] = code,
    ['x-format'] = format ~= '' and format or nil,
    ['x-original-uri'] = uri,
    ['x-namespace'] = words[3],
    ['x-ingress-name'] = words[4],
    ['x-service-name'] = words[5],
    ['x-service-port'] = words[6],
  }
end

core.register_action('act', { 'http-req' }, function(txn)
  local scheme, port = txn.sf:req_fhdr('x-forwarded-proto'), txn.sf:req_fhdr('x-forwarded-port')
  local http = txn.http
  local path = txn.sf:path()
  local operations = action_of(txn)
  local is_proven = false
  for _, words in ipairs(operations) do
    if words[1] == 'sources' then is_proven = sources(txn, words)
    elseif words[1] == 'show' then show(txn, words, scheme, port) end
  end
  for _, words in ipairs(operations) do
    if words[1] == 'cors' then cors(txn, words) end
  end
  for _, words in ipairs(operations) do
    if is_proven then break
    elseif words[1] == 'basic' then basic(txn, words[2], words[3])
    elseif words[1] == 'ask' then ask(txn, words, scheme)
    elseif words[1] == 'check' then check(txn, words) end
  end
  for _, words in ipairs(operations) do
    local name = words[1]
    if name == 'request-set' then http:req_set_header(words[2], words[3])
    elseif name == 'request-add' then http:req_add_header(words[2], words[3])
    elseif name == 'request-remove' then http:req_del_header(words[2])
    elseif name == 'host' then http:req_set_header('host', words[2])
    elseif name == 'path' then http:req_set_path(changed_path(txn, path, words[2], words[3], words[4]))
    elseif name == 'timeout' then txn:set_var('txn.timeout', tonumber(words[2]))
    elseif name == 'mirror' then mirror(txn, words)
    elseif name == 'answers' then
      txn:set_var('txn.own_host', txn.sf:req_fhdr('host') or '')
      txn:set_var('txn.own_scheme', scheme)
    elseif name == 'failed' then
      local told = told_of_failure(words[2], txn.sf:req_fhdr('accept') or '', with_query(txn, path), words)
      http:req_del_header('x-format')
      for header, value in pairs(told) do http:req_set_header(header, value) end
    elseif name == 'errors' then
      local of = { txn.sf:method(), txn.sf:req_fhdr('host') or '', txn.sf:req_fhdr('accept') or '', txn.sf:req_fhdr('x-request-id') or '' }
      txn:set_var('txn.asked', table.concat(of, '\n') .. '\n' .. with_query(txn, path))
    elseif name == 'redirect' then redirect(txn, words, scheme, port)
    end
  end
end)

local function case_free(name)
  return (name:gsub('%a', function(letter) return '[' .. letter:lower() .. letter:upper() .. ']' end))
end

local attributes = { domain = '(;%s*' .. case_free('domain') .. '=)%.?([^;]*)', path = '(;%s*' .. case_free('path') .. '=)([^;]*)' }

-- What pods say of their own address becomes the outer one, as proxy_redirect, proxy_cookie_domain and proxy_cookie_path of nginx do it.
local function change_answer(txn, words)
  local http, from, to = txn.http, words[2], words[3]
  local headers = http:res_get_headers()
  local location = headers['location'] and headers['location'][0]
  if location and from ~= '' and location:sub(1, #from) == from then
    local names = { host = txn:get_var('txn.own_host'), scheme = txn:get_var('txn.own_scheme') }
    names.http_host = names.host
    http:res_set_header('location', to:gsub('%$([%w_]+)', names) .. location:sub(#from + 1))
  end
  local cookies = headers['set-cookie']
  if cookies == nil or words[4] == '' and words[6] == '' then return end
  http:res_del_header('set-cookie')
  for at = 0, #cookies do
    local cookie = cookies[at]
    if words[4] ~= '' then
      cookie = cookie:gsub(attributes.domain, function(head, domain)
        if domain:lower() == words[4]:lower():gsub('^%.', '') then return head .. words[5] end
      end)
    end
    if words[6] ~= '' then
      cookie = cookie:gsub(attributes.path, function(head, path)
        if path:sub(1, #words[6]) == words[6] then return head .. words[7] .. path:sub(#words[6] + 1) end
      end)
    end
    http:res_add_header('set-cookie', cookie)
  end
end

-- An answer that HAProxy is given has to fit into a buffer, with its headers.
local longest_page = 14000

-- Answers with what a default backend says of an error of a pod (custom-http-errors); where that says nothing, or too much, the pod's answer stays.
local function replace_error(txn, words)
  local code = tostring(txn.sf:status())
  local asked = txn:get_var('txn.asked')
  if asked == nil or not (' ' .. words[2] .. ' '):find(' ' .. code .. ' ', 1, true) then return end
  local method, host, format, id, uri = asked:match('^(.-)\n(.-)\n(.-)\n(.-)\n(.*)$')
  local headers = { host = { host }, ['x-plumb-mirror'] = { words[7] }, ['x-plumb-method'] = { method }, ['x-request-id'] = { id } }
  for header, value in pairs(told_of_failure(code, format, uri, words)) do headers[header] = { value } end
  if method == 'HEAD' then headers['x-plumb-method'] = nil end
  local url = 'http://' .. host .. '/' .. (uri:match('%?.*$') or '')
  local answer = core.httpclient():get({ url = url, headers = headers, dst = places.mirror, timeout = 5000 })
  -- Who made an error says so in this header; here it is the gateway itself that found nobody.
  if answer == nil or answer.status == 0 or answer.headers['proxy-status'] then return end
  local reply, body = txn:reply(), answer.body or ''
  local size = #body
  reply:set_status(answer.status)
  for name, values in pairs(answer.headers) do
    if not of_message[name] and name ~= 'content-length' then
      for at = 0, #values do
        size = size + #name + #values[at] + 16
        reply:add_header(name, values[at])
      end
    end
  end
  if size > longest_page then return end
  reply:add_header('content-length', tostring(#body))
  reply:set_body(body)
  txn:set_var('txn.answered', true)
  txn:done(reply)
end

core.register_action('reply', { 'http-res' }, function(txn)
  local http = txn.http
  for _, words in ipairs(action_of(txn)) do
    if words[1] == 'errors' then replace_error(txn, words) end
  end
  for _, words in ipairs(action_of(txn)) do
    local name = words[1]
    if name == 'response-set' then http:res_set_header(words[2], words[3])
    elseif name == 'response-add' then http:res_add_header(words[2], words[3])
    elseif name == 'response-remove' then http:res_del_header(words[2])
    elseif name == 'answers' then change_answer(txn, words)
    elseif name == 'cors' then
      local origin = txn:get_var('txn.origin')
      if origin ~= nil then
        local with_credentials = words[6] == 'true'
        http:res_set_header('access-control-allow-origin', words[2] == '*' and not with_credentials and '*' or origin)
        http:res_add_header('vary', 'origin')
        if with_credentials then http:res_set_header('access-control-allow-credentials', 'true') end
        if words[5] ~= '' then http:res_set_header('access-control-expose-headers', words[5]) end
      end
    end
  end
end)

-- Counts the bytes of a body as they come, for those that do not announce how many there will be.
local BodyLimit = { id = 'body-limit', flags = filter.FLT_CFG_FL_HTX }
BodyLimit.__index = BodyLimit

function BodyLimit:new() return setmetatable({ seen = 0, most = tonumber(self.args[1]) }, BodyLimit) end

function BodyLimit:start_analyze(_, channel)
  if not channel:is_resp() then filter.register_data_filter(self, channel) end
end

function BodyLimit:http_payload(txn, message)
  -- Not `input`, which counts the end of a body in chunks as well.
  self.seen = self.seen + #(message:body() or '')
  if self.seen > self.most then
    txn:set_var('txn.too_long', true)
    -- HAProxy 2.6 heeds this, and not `filter.ERROR`.
    error('the body is too long')
  end
end

core.register_filter('body-limit', BodyLimit, function(limit, args)
  limit.args = args
  return limit
end)
