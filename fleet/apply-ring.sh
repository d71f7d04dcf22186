#!/bin/sh
# Puts the ticket-key ring that Secrets Manager names AWSCURRENT into the TLS terminator of this machine, proves by a
# real handshake that the server encrypts with it, and prints one result line. Whatever fails, the server keeps
# running what it ran before. `apply-ring.sh --help` tells how to run it by hand.
#
# Rules of this file: key bytes travel through builtins, pipes and variables only, never through arguments, the
# environment, here-documents (bash writes those to disk) or messages. Nothing is printed on standard output but the
# result line. What a server or AWS answers is matched exactly: anything unknown is a failure.

# Where an expansion stands unquoted it is to be split, and -f keeps it from becoming file names.
# Tracing and exporting would carry secrets to the log or into every child.
set +ax
set -euf
umask 077
LC_ALL=C
export LC_ALL
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
SPACE=' '
LF='
'

usage() {
  printf '%s\n' \
    'usage: apply-ring.sh [--boot] RING [GENERATION]' \
    '' \
    'Fetches the ring RING from Secrets Manager, loads it into HAProxy or nginx and proves it by a handshake.' \
    'Refuses a ring older than GENERATION (default 1). Prints one JSON result line; notes go to standard error.' \
    'Exit status: 0 applied, unchanged or reset; 1 failed or stale; 2 wrong usage.' \
    '  --boot  before the server starts: fetch, check and put the key files in place, prove nothing' \
    '' \
    'Settings, KEY=value, in /etc/ticketring/RING.conf (TICKETRING_CONF_DIR names another directory):' \
    '  SECRET                        name or ARN of the secret' \
    '  REGION                        default: AWS_REGION, then the instance metadata' \
    '  TICKET_LIFETIME               longest life of a ticket, in seconds' \
    '  SERVER                        haproxy or nginx; default: the one configured, else the one that runs' \
    '  HAPROXY_KEYS                  file of tls-ticket-keys' \
    '  HAPROXY_SOCKET                runtime socket, level admin' \
    '  NGINX_KEYS                    directory of nginx.current.key, nginx.next.key and nginx.previous.key' \
    '  NGINX_TEST, NGINX_RELOAD      default: nginx -t, systemctl reload nginx; words, no shell' \
    '  HAPROXY_KEY_SIZE, NGINX_KEY_SIZE  80 (default) or 48' \
    '  HAPROXY_OWNER, NGINX_OWNER    of the key files, default root' \
    '  HAPROXY_VERIFY, NGINX_VERIFY  listeners to prove it on, address:port=servername, separated by spaces' \
    '  RUN_DIR                       default /run/ticketring/RING, on a tmpfs' \
    '  ALLOW_DISK                    yes: the keys may be kept on a disk' \
    '  LOCK_WAIT, VERIFY_WAIT        seconds to wait for another run (30), for the key to be seen (10)' \
    '' \
    'Credentials: the environment, the shared credentials file, or the instance metadata (IMDSv2).'
}

# A variable that the caller exported stays exported, and names in lower case will hold secrets here.
forget_exports() {
  exported=$(export -p)
  IFS=$LF
  for line in $exported; do
    name=${line#export }
    name=${name#declare -x }
    name=${name%%=*}
    case $name in
      *[!A-Za-z0-9_]* | *_proxy) ;;
      [a-z]*) unset "$name" ;;
    esac
  done
  unset IFS exported line name
}

# keep NAME VALUE: assigns to a variable whose name is computed.
keep() {
  eval "$1=\$2"
}

# ---- The one result line

note() {
  printf 'ticketring %s: %s\n' "${ring:-}" "$1" >&2
}

# fail CODE DETAIL: stops with an error of the closed list in docs/errors.md.
fail() {
  result=failed error=$1 detail=$2
  exit 1
}

# Leaves printable ASCII that needs no escaping in JSON, at most 300 characters.
printable() {
  printable=
  rest=$1
  while [ -n "$rest" ] && [ "${#printable}" -lt 300 ]; do
    chunk=${rest%%[!\ \!#-\[\]-~]*}
    printable=$printable$chunk
    rest=${rest#"$chunk"}
    case $rest in
      '"'*) printable=$printable\' ;;
      ?*) printable=$printable$SPACE ;;
    esac
    rest=${rest#?}
  done
  while [ "${#printable}" -gt 300 ]; do printable=${printable%?}; done
}

now() {
  read -r uptime _ </proc/uptime
  now=${uptime%.*}${uptime#*.}
}

emit() {
  now
  line="{\"v\":1,\"ring\":\"$ring\",\"lineage\":\"$told_lineage\",\"generation\":${told_generation:-0}"
  line="$line,\"server\":\"$server\",\"result\":\"$result\",\"encryptsWith\":\"$seen\",\"verified\":\"$verified\""
  line="$line,\"ms\":$(((now - started) * 10)),\"script\":\"$script\""
  if [ "$result" = failed ]; then
    printable "$detail"
    line="$line,\"error\":\"$error\",\"detail\":\"$printable\""
    note "$error: $printable"
  fi
  printf '%s}\n' "$line" >&3
}

# Runs on every exit, so that a run cannot end without its line or without undoing what it began.
finish() {
  trap '' INT TERM HUP
  trap - EXIT
  set +e
  [ -n "$result" ] || result=failed
  if [ "$result" = failed ]; then
    verified=none
    : "${error:=interrupted}"
    : "${detail:=stopped before the end, status $1}"
    undo
  fi
  emit
  case $result in
    applied | unchanged | reset) exit 0 ;;
  esac
  exit 1
}

# ---- Settings

need() {
  command -v "$1" >/dev/null || fail tool-missing "wanted $1, found none in PATH$2"
}

# read_settings ORIGIN TEXT: KEY=value lines; a later one overrides an earlier one.
read_settings() {
  IFS=$LF
  # shellcheck disable=SC2086
  set -- "$1" $2
  unset IFS
  origin=$1
  shift
  for setting; do
    case $setting in
      '#'* | *[!\ ]*) ;;
      *) continue ;;
    esac
    key=${setting%%=*}
    case $setting in
      '#'*) continue ;;
      *=*) ;;
      *) fail config-invalid "wanted KEY=value in $origin, found a line without =" ;;
    esac
    value=${setting#*=}
    case $value in
      *[!A-Za-z0-9\ _./:=@,+-]*) fail config-invalid "wanted letters, digits and _./:=@,+- in $key of $origin, found others" ;;
    esac
    case $key in
      SECRET | REGION | TICKET_LIFETIME | RUN_DIR | ALLOW_DISK | SERVER | LOCK_WAIT | VERIFY_WAIT | \
        HAPROXY_KEYS | HAPROXY_KEY_SIZE | HAPROXY_SOCKET | HAPROXY_OWNER | HAPROXY_VERIFY | \
        NGINX_KEYS | NGINX_KEY_SIZE | NGINX_TEST | NGINX_RELOAD | NGINX_OWNER | NGINX_VERIFY)
        keep "conf_$key" "$value"
        ;;
      *) fail config-invalid "wanted a known setting in $origin, found $key" ;;
    esac
  done
}

default_settings() {
  conf_SECRET='' conf_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-${AWS_SSM_REGION_NAME:-}}} conf_TICKET_LIFETIME='' conf_ALLOW_DISK=no
  conf_RUN_DIR=/run/ticketring/$ring conf_SERVER='' conf_LOCK_WAIT=30 conf_VERIFY_WAIT=10
  conf_HAPROXY_KEYS='' conf_HAPROXY_KEY_SIZE=80 conf_HAPROXY_SOCKET='' conf_HAPROXY_OWNER=root conf_HAPROXY_VERIFY=''
  conf_NGINX_KEYS='' conf_NGINX_KEY_SIZE=80 conf_NGINX_TEST='nginx -t' conf_NGINX_RELOAD='systemctl reload nginx'
  conf_NGINX_OWNER=root conf_NGINX_VERIFY=''
}

load_settings() {
  default_settings
  read_settings 'the document' "${TICKETRING_SETTINGS:-}"
  conf=${TICKETRING_CONF_DIR:-/etc/ticketring}/$ring.conf
  if [ -e "$conf" ]; then
    [ -r "$conf" ] || fail config-invalid "wanted to read $conf, not permitted"
    text=
    while IFS= read -r setting || [ -n "$setting" ]; do text=$text$setting$LF; done <"$conf"
    read_settings "$conf" "$text"
  fi
  want_setting SECRET "$conf_SECRET" '[!A-Za-z0-9_./:=@+-]'
  want_number TICKET_LIFETIME "$conf_TICKET_LIFETIME"
  want_number LOCK_WAIT "$conf_LOCK_WAIT"
  want_number VERIFY_WAIT "$conf_VERIFY_WAIT"
  want_path RUN_DIR "$conf_RUN_DIR"
  run_dir=$conf_RUN_DIR
}

# want_setting KEY VALUE PATTERN: refuses an empty value and one with a character that matches PATTERN.
want_setting() {
  [ -n "$2" ] || fail config-invalid "wanted $1 in the document or in $conf, found none"
  # shellcheck disable=SC2254 # a pattern
  case $2 in
    *$3*) fail config-invalid "wanted $1 without such characters, found $2" ;;
  esac
}

want_path() {
  want_setting "$1" "$2" '[!A-Za-z0-9_./@+-]'
  case $2 in
    /?*) ;;
    *) fail config-invalid "wanted $1 as an absolute path, found $2" ;;
  esac
}

want_number() {
  case $2 in
    '' | *[!0-9]* | 0* | ???????*) fail config-invalid "wanted $1 as a number of seconds, found '$2'" ;;
  esac
}

choose_server() {
  server=$conf_SERVER
  case $server in
    haproxy | nginx) ;;
    '') choose_only_server ;;
    *)
      server=
      fail config-invalid "wanted SERVER as haproxy or nginx, found $conf_SERVER"
      ;;
  esac
  case $server in
    haproxy)
      keys=$conf_HAPROXY_KEYS key_size=$conf_HAPROXY_KEY_SIZE owner=$conf_HAPROXY_OWNER listeners=$conf_HAPROXY_VERIFY
      want_path HAPROXY_KEYS "$keys"
      want_path HAPROXY_SOCKET "$conf_HAPROXY_SOCKET"
      keys_dir=${keys%/*}
      ;;
    nginx)
      keys=${conf_NGINX_KEYS%/} key_size=$conf_NGINX_KEY_SIZE owner=$conf_NGINX_OWNER listeners=$conf_NGINX_VERIFY
      want_path NGINX_KEYS "$keys"
      keys_dir=$keys
      ;;
  esac
  want_setting OWNER "$owner" '[!A-Za-z0-9_.-]'
  want_listeners
  case $key_size in
    80 | 48) ;;
    *) fail config-invalid "wanted a key size of 80 or 48, found $key_size" ;;
  esac
}

choose_only_server() {
  if [ -n "$conf_HAPROXY_KEYS" ] && [ -n "$conf_NGINX_KEYS" ]; then
    choose_running_server
  elif [ -n "$conf_HAPROXY_KEYS" ]; then
    server=haproxy
  elif [ -n "$conf_NGINX_KEYS" ]; then
    server=nginx
  else
    fail config-invalid 'wanted HAPROXY_KEYS or NGINX_KEYS, found neither'
  fi
}

# A ring may serve machines of both kinds: the runtime socket tells which one this is.
choose_running_server() {
  [ "$boot" = no ] || fail config-invalid 'wanted SERVER in the settings, since at boot neither server runs'
  server=nginx
  [ ! -S "$conf_HAPROXY_SOCKET" ] || server=haproxy
}

want_listeners() {
  [ -n "$listeners" ] || fail config-invalid 'wanted a listener to verify as address:port=servername, found none'
  for listener in $listeners; do
    address=${listener%=*}
    case $listener in
      *[!A-Za-z0-9_.:=-]* | *=*=* | *= | [:=]*) bad_listener ;;
      *:*=*) ;;
      *) bad_listener ;;
    esac
    case ${address##*:} in
      '' | *[!0-9]*) bad_listener ;;
    esac
  done
}

bad_listener() {
  fail config-invalid "wanted a listener as address:port=servername, found $listener"
}

# ---- Directory and lock

prepare_directories() {
  for directory in "$run_dir" "$keys_dir"; do
    # A server that drops its privileges before it reads must get through to its files.
    [ -d "$directory" ] || (umask 022 && mkdir -p "$directory") || fail write-failed "cannot make $directory"
  done
  [ "$conf_ALLOW_DISK" = yes ] || refuse_disk
  warn_of_swap
}

refuse_disk() {
  for kind in $(stat -f -c %T "$run_dir" "$keys_dir"); do
    case $kind in
      tmpfs | ramfs) ;;
      *) fail not-tmpfs "wanted $run_dir and $keys_dir on a tmpfs, found $kind; ALLOW_DISK=yes permits it" ;;
    esac
  done
}

# Pages of a tmpfs can be swapped out. zram stays in memory; dm-crypt says so in its uuid.
warn_of_swap() {
  [ -r /proc/swaps ] || return 0
  while read -r swap _; do
    case $swap in
      /dev/zram* | Filename) continue ;;
      /dev/dm-*)
        uuid=
        [ ! -r "/sys/block/${swap#/dev/}/dm/uuid" ] || read -r uuid <"/sys/block/${swap#/dev/}/dm/uuid" || :
        case $uuid in CRYPT-*) continue ;; esac
        ;;
    esac
    note "warning: $swap is swap that may not be encrypted; keys in a tmpfs can reach it"
  done </proc/swaps
}

# The lock lies on its own open file, so it goes away with this process, however that ends.
lock() {
  [ -w "$run_dir" ] || fail write-failed "cannot write into $run_dir"
  exec 9>"$run_dir/lock"
  flock -w "$conf_LOCK_WAIT" 9 || fail busy "another run held $run_dir/lock for $conf_LOCK_WAIT seconds"
}

# ---- Fetching

# Speaks the few words of curl's configuration that are used below, for machines whose curl is missing or too old to
# sign (before 7.86 it signs too few headers). Ends with curl's exit status for the same fault.
PYTHON_REQUEST='
import datetime, hashlib, hmac, sys, urllib.error, urllib.parse, urllib.request
urls, headers, given = [], {}, {}
for text in sys.stdin:
    key, _, value = text.strip().partition(" = ")
    value = value[1:-1].replace("\\\"", "\"")
    if key == "url": urls.append(value)
    elif key == "header": headers.__setitem__(*value.split(": ", 1))
    else: given[key] = value
body = given["data"].encode() if "data" in given else None
def digest(key, text): return hmac.new(key, text.encode(), hashlib.sha256)
def sha256(text): return hashlib.sha256(text).hexdigest()
def sign(url):
    identity, secret = given["user"].split(":", 1)
    region, service = given["aws-sigv4"].split(":")[2:]
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    signed = {name.lower(): value for name, value in headers.items()}
    signed.update({"host": urllib.parse.urlsplit(url).netloc, "x-amz-date": stamp})
    names = ";".join(sorted(signed))
    lines = ["POST", "/", ""] + ["%s:%s" % item for item in sorted(signed.items())] + ["", names, sha256(body)]
    scope = [stamp[:8], region, service, "aws4_request"]
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, "/".join(scope), sha256("\n".join(lines).encode())])
    key = ("AWS4" + secret).encode()
    for part in scope: key = digest(key, part).digest()
    headers["X-Amz-Date"] = stamp
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        identity, "/".join(scope), names, digest(key, text).hexdigest())
opener = urllib.request.build_opener(urllib.request.ProxyHandler({} if "noproxy" in given else None))
for url in urls:
    if "aws-sigv4" in given: sign(url)
    call = urllib.request.Request(url, body, headers, method=given["request"])
    try: answer = opener.open(call, timeout=float(given["max-time"]))
    except urllib.error.HTTPError as error: answer = error
    except OSError as error: sys.exit(sys.stderr.write("%s\n" % error) and 7)
    sys.stdout.write(answer.read().decode("utf-8", "replace"))
    sys.stdout.write("\n%d %s\n" % (answer.getcode(), answer.headers.get("date")))
'

choose_client() {
  client=python3
  if command -v curl >/dev/null; then
    version=$(curl --version)
    version=${version#curl }
    minor=${version#*.}
    minor=${minor%%.*}
    case ${version%%.*} in
      7) [ "$minor" -lt 86 ] || client=curl ;;
      [89] | ??) client=curl ;;
    esac
  fi
  [ "$client" = curl ] || need python3 ' (nor a curl of 7.86 or later)'
}

# Sends the request in $request: curl's configuration syntax, through a pipe, because it holds credentials. The
# answer is the body, a newline, then the status and the Date header. It may hold the ring, cut off or whole: nothing
# may repeat it but what is known to be an error of AWS.
send() {
  client_status=0
  if [ "$client" = curl ]; then
    answer=$(printf '%swrite-out = "\\n%%{http_code} %%header{date}\\n"\n' "$request" | curl -q -sS -K -) ||
      client_status=$?
    # Built without SigV4.
    case $client_status in 2 | 4) client=python3 ;; esac
  fi
  if [ "$client" = python3 ]; then
    client_status=0
    answer=$(printf '%s' "$request" | python3 -I -c "$PYTHON_REQUEST") || client_status=$?
  fi
}

# json_value NAME: sets $value to the string called NAME in the JSON text $answer, or to nothing.
json_value() {
  value=
  case $answer in
    *"\"$1\""*) ;;
    *) return 0 ;;
  esac
  IFS='"'
  # shellcheck disable=SC2086
  set -- "$1" ${answer#*"\"$1\""}
  unset IFS
  value=${3:-}
}

find_credentials() {
  access_key=${AWS_ACCESS_KEY_ID:-} secret_key=${AWS_SECRET_ACCESS_KEY:-} session_token=${AWS_SESSION_TOKEN:-}
  credentials_from='the environment'
  have_credentials || read_credentials_file
  have_credentials || ask_metadata
  [ -n "$conf_REGION" ] || ask_metadata
  case $access_key$secret_key$session_token in
    *[!A-Za-z0-9/+=_.,:%~-]*) fail no-credentials "the credentials from $credentials_from hold characters that none can" ;;
  esac
  case $conf_REGION in
    '' | *[!a-z0-9-]*) fail config-invalid "wanted REGION such as eu-central-1, found '$conf_REGION'" ;;
  esac
}

have_credentials() {
  [ -n "$access_key" ] && [ -n "$secret_key" ]
}

# A hybrid machine's agent leaves its role's credentials in root's file.
read_credentials_file() {
  credentials=${AWS_SHARED_CREDENTIALS_FILE:-${HOME:-/root}/.aws/credentials}
  [ -r "$credentials" ] || return 0
  access_key='' secret_key='' session_token='' section=''
  while read -r setting || [ -n "$setting" ]; do
    case $setting in
      '['*) section=$setting ;;
      *=*) [ "$section" != "[${AWS_PROFILE:-default}]" ] || keep_credential "${setting%%=*}" "${setting#*=}" ;;
    esac
  done <"$credentials"
  credentials_from=$credentials
}

keep_credential() {
  value=${2#"${2%%[! ]*}"}
  case ${1%% *} in
    aws_access_key_id) access_key=$value ;;
    aws_secret_access_key) secret_key=$value ;;
    aws_session_token) session_token=$value ;;
  esac
}

# add NAME VALUE: a line of the request, in curl's configuration syntax.
add() {
  request="$request$1 = \"$2\"$LF"
}

# metadata METHOD HEADER PATH...: sets $answer; fails where the service does not answer.
metadata() {
  request=
  add request "$1"
  add header "$2"
  add noproxy '*'
  add connect-timeout 2
  add max-time 4
  shift 2
  for path; do add url "$metadata/latest/$path"; done
  send
  [ "$client_status" = 0 ] || no_metadata "none answers at $metadata"
}

no_metadata() {
  fail no-credentials "wanted some in the environment, a credentials file or the instance metadata; $1"
}

# Cuts $answer into the first body and what follows its status line.
first_answer() {
  body=${answer%%"${LF}200 "*}
  case $answer in
    *"${LF}200 "*) ;;
    *) fail no-credentials "wanted $1 from the instance metadata, got ${answer##*"$LF"}" ;;
  esac
  answer=${answer#*"${LF}200 "}
  answer=${answer#*"$LF"}
}

ask_metadata() {
  metadata=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
  metadata=${metadata%/}
  [ "${AWS_EC2_METADATA_DISABLED:-false}" != true ] || no_metadata 'AWS_EC2_METADATA_DISABLED is true'
  metadata PUT 'X-aws-ec2-metadata-token-ttl-seconds: 60' api/token
  first_answer 'a token'
  metadata_token="X-aws-ec2-metadata-token: $body"
  metadata GET "$metadata_token" meta-data/placement/region meta-data/iam/security-credentials/
  first_answer 'the region'
  : "${conf_REGION:=$body}"
  [ -z "$access_key" ] || return 0
  first_answer 'a role name'
  role=${body%%"$LF"*}
  metadata GET "$metadata_token" "meta-data/iam/security-credentials/$role"
  first_answer "the credentials of $role"
  answer=$body
  credentials_from="the instance role $role"
  json_value AccessKeyId
  access_key=$value
  json_value SecretAccessKey
  secret_key=$value
  json_value Token
  session_token=$value
  have_credentials || fail no-credentials "the instance metadata gave none for $role"
}

secrets_endpoint() {
  endpoint=${AWS_ENDPOINT_URL_SECRETS_MANAGER:-${AWS_ENDPOINT_URL:-}}
  [ -z "$endpoint" ] || return 0
  case $conf_REGION in
    cn-*) endpoint=https://secretsmanager.$conf_REGION.amazonaws.com.cn ;;
    *) endpoint=https://secretsmanager.$conf_REGION.amazonaws.com ;;
  esac
}

# The stage is named because the policy permits only what AWSCURRENT names.
ask_secret() {
  request=
  add url "${endpoint%/}/"
  add request POST
  add connect-timeout 3
  add max-time 10
  add user "$access_key:$secret_key"
  add aws-sigv4 "aws:amz:$conf_REGION:secretsmanager"
  add header 'Content-Type: application/x-amz-json-1.1'
  add header 'X-Amz-Target: secretsmanager.GetSecretValue'
  [ -z "$session_token" ] || add header "X-Amz-Security-Token: $session_token"
  add data "{\\\"SecretId\\\":\\\"$conf_SECRET\\\",\\\"VersionStage\\\":\\\"AWSCURRENT\\\"}"
  send
}

fetch_secret() {
  tries=0
  while :; do
    ask_secret
    http_status=${answer##*"$LF"}
    http_date=${http_status#* }
    http_status=${http_status%% *}
    tries=$((tries + 1))
    case $client_status/$http_status in
      0/200) break ;;
      0/429 | 0/5* | 0/[!0-9]* | 0/) ;;
      0/*) case $answer in *ThrottlingException*) ;; *) refuse_answer ;; esac ;;
      7/*) http_status='no connection' ;;
      28/*) http_status='no answer in time' ;;
      *) http_status="no whole answer ($client exit status $client_status)" ;;
    esac
    [ "$tries" -lt "$patience" ] || fail endpoint-unreachable "wanted GetSecretValue from $endpoint, got $http_status"
    sleep "$tries"
  done
  secret_text=${answer%"$LF"*}
  unset answer request
}

# Says what AWS said: its messages name the action and the resource, never the value.
refuse_answer() {
  json_value __type
  kind=${value##*#}
  json_value message
  [ -n "$value" ] || json_value Message
  said="$kind: $value (credentials from $credentials_from)"
  case $kind/$value in
    *RequestTimeTooSkewed* | *'Signature expired'* | *'Signature not yet current'* | *RequestExpired*)
      fail clock-skew "the clock here says $(date -u), AWS says $http_date; $said"
      ;;
    ResourceNotFoundException/*) fail secret-missing "wanted $conf_SECRET at AWSCURRENT in $conf_REGION; $said" ;;
    InvalidRequestException/*delet*) fail secret-missing "wanted $conf_SECRET at AWSCURRENT in $conf_REGION; $said" ;;
    ExpiredToken*/* | UnrecognizedClient*/* | InvalidClientTokenId*/* | InvalidSignature*/* | SignatureDoesNotMatch*/* | \
      MissingAuthenticationToken*/* | IncompleteSignature*/*) fail no-credentials "wanted credentials that AWS accepts; $said" ;;
    AccessDenied*/* | DecryptionFailure*/* | KMSAccessDenied*/*) fail access-denied "$said" ;;
  esac
  fail endpoint-unreachable "wanted GetSecretValue from $endpoint, got $http_status $said"
}

# ---- The ring

invalid() {
  fail ring-invalid "wanted a ring of schema 1 in $conf_SECRET, found $1"
}

# A value may be anything, a key in the wrong place too: it is repeated only if it looks like a name.
name_only() {
  case $1 in
    *[!a-z0-9-]* | ????????????????????????????????*) name_only='something else' ;;
    *) name_only="'$1'" ;;
  esac
}

# Reads SecretString out of the answer. It is JSON inside JSON: every inner quote arrives as \", so that the first quote
# without a backslash ends the value, and an even cutting at quotes gives punctuation and strings in turn.
parse_secret() {
  case $secret_text in
    *'"SecretString"'*) ;;
    *) invalid 'no SecretString' ;;
  esac
  IFS='"'
  # shellcheck disable=SC2086
  set -- ${secret_text#*'"SecretString"'}
  unset IFS secret_text
  case ${1:-} in
    : | ': ' | ' :' | ' : ') ;;
    *) invalid 'a SecretString that is no string' ;;
  esac
  shift
  strip_space "${1:-}"
  case $strip_space in
    '{}') fail no-ring "$conf_SECRET holds {}: the rotation function has not made the ring yet" ;;
    "{\\") ;;
    *) invalid 'no JSON object' ;;
  esac
  shift
  parse_fields "$@"
}

# parse_fields NAME\ :\ VALUE\ ,\ ... NAME\ :\ VALUE\ }
parse_fields() {
  ring_schema='' ring_ring='' ring_lineage='' ring_generation='' ring_parent='' ring_rotatedAt=''
  key_previous='' key_current='' key_next='' fields=' '
  while :; do
    [ "$#" -ge 4 ] || invalid 'a value that is cut off'
    case $1$SPACE$3 in
      *\\*\\*\\*) invalid 'an escaped character' ;;
      *\\' '*\\) ;;
      *) invalid 'a value that is cut off' ;;
    esac
    strip_space "$2"
    [ "$strip_space" = ":\\" ] || invalid 'a field that is no string'
    store_field "${1%\\}" "${3%\\}"
    strip_space "$4"
    shift 4
    case $strip_space in
      ,\\) ;;
      '}') return 0 ;;
      *) invalid 'a value that is cut off or no flat JSON' ;;
    esac
  done
}

# Between the inner tokens stand spaces and escaped newlines at most.
strip_space() {
  strip_space=$1
  while :; do
    case $strip_space in
      ' '*) strip_space=${strip_space# } ;;
      \\[nrt]*) strip_space=${strip_space#??} ;;
      *' ') strip_space=${strip_space% } ;;
      *\\[nrt]) strip_space=${strip_space%??} ;;
      *" \\") strip_space=${strip_space%??}\\ ;;
      *\\[nrt]\\) strip_space=${strip_space%???}\\ ;;
      *) return 0 ;;
    esac
  done
}

store_field() {
  case $fields in
    *" $1 "*) invalid 'a field twice' ;;
  esac
  fields="$fields$1 "
  case $1 in
    schema | ring | lineage | generation | parent | rotatedAt) keep "ring_$1" "$2" ;;
    previous | current | next) keep "key_$1" "$2" ;;
    *) invalid 'an unknown field' ;;
  esac
}

check_ring() {
  name_only "$ring_schema"
  [ "$ring_schema" = 1 ] || invalid "schema $name_only"
  name_only "$ring_ring"
  [ "$ring_ring" = "$ring" ] || fail ring-mismatch "wanted the ring $ring in $conf_SECRET, found $name_only"
  case $ring_lineage in
    *[!0-9a-f-]*) invalid 'a lineage that is no UUID' ;;
    ????????-????-????-????-????????????) ;;
    *) invalid 'a lineage that is no UUID' ;;
  esac
  case $ring_generation in
    '' | 0* | *[!0-9]* | ?????????????*) invalid 'a generation that is no positive number' ;;
  esac
  case $ring_parent/$ring_rotatedAt in
    ?*/????-??-??T??:??:??*Z) ;;
    *) invalid 'no parent or no rotatedAt' ;;
  esac
  for key in "$key_previous" "$key_current" "$key_next"; do
    # 80 bytes in canonical base64: 107 digits, the last with two bits to spare, and one =.
    case ${key%[AEIMQUYcgkosw048]=} in
      "$key" | *[!A-Za-z0-9+/]*) invalid 'a key that is no base64 of 80 bytes' ;;
    esac
    [ "${#key}" = 108 ] || invalid "a key of ${#key} base64 digits, not 108"
  done
  decode_keys
}

# Bytes are kept as octal words: printf turns them back into bytes without another process.
decode_keys() {
  ring_keys=$(printf '%s\n' "$key_previous" "$key_current" "$key_next" | base64 -d | od -An -v -to1 -w80)
  IFS=$LF
  # shellcheck disable=SC2086
  set -- $ring_keys
  unset IFS ring_keys
  [ "$#" = 3 ] || invalid 'keys of another length'
  name_previous='' name_current='' name_next='' octal_previous='' octal_current='' octal_next=''
  taken_fields='|'
  take_key previous "$1"
  take_key current "$2"
  take_key next "$3"
}

# take_key WHICH BYTES: checks the key and sets name_WHICH (hex) and octal_WHICH in the server's layout.
take_key() {
  name='' hex='' aes='' aes_rest='' hmac='' hmac_rest='' count=0
  for byte in $2; do
    count=$((count + 1))
    if [ "$count" -le 16 ]; then
      name="$name $byte" hex="$hex 0$byte"
    elif [ "$count" -le 32 ]; then
      aes="$aes $byte"
    elif [ "$count" -le 48 ]; then
      aes_rest="$aes_rest $byte"
    elif [ "$count" -le 64 ]; then
      hmac="$hmac $byte"
    else
      hmac_rest="$hmac_rest $byte"
    fi
  done
  [ "$count" = 80 ] || invalid 'a key of another length'
  take_field "the name of $1" "$name"
  take_field "the AES key of $1" "$aes$aes_rest"
  take_field "the HMAC key of $1" "$hmac$hmac_rest"
  # shellcheck disable=SC2086
  keep "name_$1" "$(printf '%02x' $hex)"
  # The orders were proved by tickets of the real servers: a wrong one fails without a word.
  case $server-$key_size in
    haproxy-80) keep "octal_$1" "$name$aes$aes_rest$hmac$hmac_rest" ;;
    nginx-80) keep "octal_$1" "$name$hmac$hmac_rest$aes$aes_rest" ;;
    *-48) keep "octal_$1" "$name$aes$hmac" ;;
  esac
}

# Servers take an all-zero key without a word, so nobody after this would notice one.
take_field() {
  varied=no first=${2%"${2#????}"}
  for byte in $2; do
    [ " $byte" = "$first" ] || varied=yes
  done
  [ "$varied" = yes ] || invalid "a weak key: $1 repeats one byte"
  case $taken_fields in
    *"|$2|"*) invalid "a repeated key: $1 is in two keys" ;;
  esac
  taken_fields="$taken_fields$2|"
}

bytes_of() {
  # shellcheck disable=SC2046,SC2086
  printf '%b' "$(printf '\\0%s' $1)"
}

# ---- What this machine ran last

# The state holds no secret. It is written last, so that a run that was killed leaves the one that matches less.
read_state() {
  state_lineage='' state_generation=0 state_names='' state_version=''
  [ -r "$run_dir/state" ] || return 0
  read -r state_version state_lineage state_generation state_names <"$run_dir/state" || state_version=''
  case $state_version/$state_lineage/$state_generation in
    1/*[!0-9a-f/-]* | 1/*/ | 1/*/0* | 1/*/*[!0-9]*) ;;
    1/?*/*) return 0 ;;
  esac
  note "ignoring an unreadable $run_dir/state"
  state_lineage='' state_generation=0 state_names=''
}

ring_names() {
  printf '%s %s %s' "$name_previous" "$name_current" "$name_next"
}

stage_state() {
  stage="$run_dir/state.new"
  write_new "$run_dir/state" printf '%s\n' "1 $ring_lineage $ring_generation $name_previous $name_current $name_next"
}

commit_state() {
  mv -f "$run_dir/state.new" "$run_dir/state"
  told_lineage=$ring_lineage told_generation=$ring_generation
}

# write_new FILE WRITER...: FILE.new, readable for its owner alone. The writer is a builtin: its words may be a key.
write_new() {
  target=$1.new
  shift
  [ ! -e "$target" ] || rm -f "$target"
  umask 0377
  complaint=$({ "$@" >"$target"; } 2>&1) || refuse_write "$target"
  umask 077
}

refuse_write() {
  room=$(stat -f -c '%a blocks, %d inodes' "${1%/*}" 2>/dev/null) || room=unknown
  rm -f "$1"
  case $room/$complaint in
    '0 '* | *' 0 inodes'* | *'No space left'*) fail disk-full "wanted room for $1, found $room free" ;;
  esac
  fail write-failed "cannot write $1: ${complaint##*: }"
}

# ---- Key files

key_files() {
  case $server in
    haproxy) set -- "$keys" ;;
    # previous first: whatever the moment, the old current and the new one are both among the three.
    nginx) set -- "$keys/nginx.previous.key" "$keys/nginx.current.key" "$keys/nginx.next.key" ;;
  esac
  key_files=$*
}

# Sets $wanted to what the files should hold, in the form in which read_files gives what they hold.
render() {
  case $server-$key_size in
    haproxy-80) wanted=$key_previous$LF$key_current$LF$key_next ;;
    haproxy-48) wanted=$(bytes_of "$octal_previous$octal_current$octal_next" | base64 -w64) ;;
    nginx-*) wanted=$octal_previous$LF$octal_current$LF$octal_next ;;
  esac
}

read_files() {
  found=
  for file in $key_files; do
    [ -r "$file" ] || return 0
  done
  if [ "$server" = haproxy ]; then
    while IFS= read -r text || [ -n "$text" ]; do found=$found${found:+$LF}$text; done <"$keys"
  else
    # shellcheck disable=SC2086
    found=$(od -An -v -to1 "-w$key_size" $key_files)
  fi
}

# Writes every file beside its place first, so that a full file system is noticed while nothing has changed yet.
write_files() {
  new_files=
  for file in $key_files; do new_files="$new_files $file.new"; done
  stage="$stage$new_files"
  case $server in
    haproxy) write_new "$keys" printf '%s\n' "$wanted" ;;
    nginx)
      write_new "$keys/nginx.previous.key" bytes_of "$octal_previous"
      write_new "$keys/nginx.current.key" bytes_of "$octal_current"
      write_new "$keys/nginx.next.key" bytes_of "$octal_next"
      ;;
  esac
  # shellcheck disable=SC2086
  chown "$owner" $new_files || fail write-failed "cannot give $keys to $owner"
  # shellcheck disable=SC2086
  sync -d $new_files || fail write-failed "cannot flush $keys"
  created=
  for file in $key_files; do
    if [ ! -e "$file" ]; then created="$created $file "; else ln -f "$file" "$file.old"; fi
  done
  undo_files=yes
  for file in $key_files; do mv -f "$file.new" "$file"; done
  label_files
}

label_files() {
  [ -e /sys/fs/selinux/enforce ] || return 0
  command -v restorecon >/dev/null || return 0
  # shellcheck disable=SC2086
  restorecon $key_files || note "warning: no SELinux label for $key_files"
}

restore_files() {
  for file in $key_files; do
    case $created in
      *" $file "*) rm -f "$file" ;;
      *) [ ! -e "$file.old" ] || mv -f "$file.old" "$file" ;;
    esac
  done
  forget_old_files
}

forget_old_files() {
  old=
  for file in $key_files; do
    [ ! -e "$file.old" ] || old="$old $file.old"
  done
  # shellcheck disable=SC2086
  [ -z "$old" ] || rm -f $old
}

# ---- HAProxy

PYTHON_SOCKET='
import socket, sys
try:
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(5)
    link.connect(sys.argv[1])
    link.sendall(sys.stdin.buffer.read())
    while True:
        piece = link.recv(65536)
        if not piece: break
        sys.stdout.buffer.write(piece)
except OSError as error: sys.exit("socket: E %s" % error)
'

# ask COMMANDS: sets $response. The commands and the response hold keys: pipes only.
ask() {
  if command -v socat >/dev/null; then
    response=$(printf '%s\n' "$1" | socat -t5 -T5 - "UNIX-CONNECT:$conf_HAPROXY_SOCKET" 2>&1) || socket_fault
  else
    need python3 ' (nor socat)'
    response=$(printf '%s\n' "$1" | python3 -I -c "$PYTHON_SOCKET" "$conf_HAPROXY_SOCKET" 2>&1) || socket_fault
  fi
}

not_admin() {
  fail socket-not-admin "wanted level admin on $conf_HAPROXY_SOCKET, found $1"
}

unexpected() {
  fail socket-unexpected "wanted $1 from $conf_HAPROXY_SOCKET, got something else"
}

socket_fault() {
  case $response in
    *'Connection refused'*) ! nobody_listens || server_not_running "nobody serves $conf_HAPROXY_SOCKET" ;;
    *'Permission denied'*) fail socket-refused "wanted to connect to $conf_HAPROXY_SOCKET, not permitted" ;;
  esac
  fail socket-refused "wanted a whole answer from $conf_HAPROXY_SOCKET, got none"
}

# Sets $held to the three keys of the process, oldest first, as its file has them.
look_into_haproxy() {
  if [ ! -S "$conf_HAPROXY_SOCKET" ]; then
    ! nobody_listens || server_not_running "no socket $conf_HAPROXY_SOCKET"
    fail socket-refused "wanted the runtime socket $conf_HAPROXY_SOCKET, found none, though a listener answers"
  fi
  ask "show cli level;show tls-keys $keys"
  case $response in
    '') fail socket-refused "$conf_HAPROXY_SOCKET closed without an answer" ;;
    admin*) ;;
    operator* | user*) not_admin "${response%%"$LF"*}" ;;
    *'Permission denied'*) not_admin 'permission denied' ;;
    *) unexpected 'its level' ;;
  esac
  case $response in
    *'unable to locate'*) fail socket-unexpected "wanted a bind line with tls-ticket-keys $keys, HAProxy has none" ;;
    *'Permission denied'*) not_admin 'permission denied' ;;
  esac
  read_held "${response#admin}"
}

# read_held TEXT: the answer to show tls-keys, a line "<id>.<n> <base64>" for each key.
read_held() {
  IFS=$LF
  # shellcheck disable=SC2086
  set -- $1
  unset IFS
  held='' count=0
  for text; do
    case $text in
      '# '*) ;;
      *[0-9]".$count "*[!A-Za-z0-9+/=]*) count=9 ;;
      *[0-9]".$count "*) held=$held${held:+$LF}${text#* } count=$((count + 1)) ;;
      *) count=9 ;;
    esac
  done
  [ "$count" = 3 ] || unexpected "three keys of $keys"
}

# Counts what HAProxy lacks: set ssl tls-key drops the oldest key and appends, so the longest tail of what it holds
# that is the head of what is wanted stays.
count_missing() {
  missing=0 tail=$held head=$wanted
  while [ "$tail" != "$head" ]; do
    missing=$((missing + 1))
    [ "$missing" -lt 3 ] || return 0
    tail=${tail#*"$LF"} head=${head%"$LF"*}
  done
}

# push COUNT RING: the newest COUNT keys of RING, and reads back what HAProxy holds then.
push() {
  IFS=$LF
  # shellcheck disable=SC2086
  set -- "$1" $2
  unset IFS
  commands='' expected='' yes="TLS ticket key updated!$LF"
  count=$1
  shift $((4 - count))
  for key; do commands="${commands}set ssl tls-key $keys $key;" expected=$expected$yes; done
  ask "${commands}show tls-keys $keys"
  # Each answer ends with an empty line.
  lines=
  while :; do
    case $response in
      "$yes"*) lines=$lines$yes response=${response#"$yes"} ;;
      "$LF"*) response=${response#"$LF"} ;;
      *) break ;;
    esac
  done
  case $lines/$response in
    *'Permission denied'*) not_admin 'permission denied' ;;
    */*'wrong size'*) fail socket-unexpected "wanted HAProxy to take keys of $key_size bytes, it wants another size" ;;
    "$expected"/*) ;;
    *) unexpected "a yes to each of $count keys" ;;
  esac
  read_held "$response"
}

load_haproxy() {
  before=$held undo_push=yes
  [ "$missing" = 0 ] || push "$missing" "$wanted"
  [ "$held" = "$wanted" ] || fail socket-unexpected 'HAProxy holds another ring than the one pushed'
}

restore_haproxy() {
  look_into_haproxy
  [ "$held" = "$before" ] || push 3 "$before"
}

# ---- nginx

# run WORDS: a configured command, split into words, no shell; $response is what it said.
run() {
  # shellcheck disable=SC2086
  response=$(timeout 20 $1 2>&1 3>&- 9>&-)
}

load_nginx() {
  run "$conf_NGINX_TEST" || fail config-test-failed "$conf_NGINX_TEST: $(last_alert)"
  undo_reload=yes
  run "$conf_NGINX_RELOAD" || fail reload-failed "$conf_NGINX_RELOAD: $(last_alert)"
}

# nginx ends with "configuration file ... test failed"; the reason stands in a line above.
last_alert() {
  case $response in
    *'[emerg]'*) printf '%s' "${response##*"[emerg]"}" ;;
    *) printf '%s' "$response" ;;
  esac
}

# ---- Handshakes

# handshake LISTENER [OPTION...]: sets $outcome, $seen_name (32 hex digits), $hint (seconds) and $alert. A TLS 1.3
# server sends its ticket after the handshake, so standard input stays open until it came: the reader of the output
# opens the FIFO when it has seen enough, and only then does standard input end.
handshake() {
  address=${1%=*} server_name=${1##*=}
  shift
  case $address in
    *:*:*) address="[${address%:*}]:${address##*:}" ;;
  esac
  saw=$(
    # Whatever outlives a killed script must hold neither its lock nor its output.
    exec 3>&- 9>&-
    { read -r _ <"$run_dir/hold" || :; } |
      timeout 4 stdbuf -oL openssl s_client -no-CAfile -no-CApath -connect "$address" -servername "$server_name" "$@" 2>&1 |
      {
        watch_handshake
        : >"$run_dir/hold"
      }
  )
  IFS='|'
  # shellcheck disable=SC2086
  set -- $saw
  unset IFS
  outcome=$1 seen_name=${2:-} hint=${3:-0} alert=${4:-}
}

# Reads the output of s_client until it tells: prints outcome|key name|lifetime|alert. Outcomes: ticket, short (a
# ticket of 32 bytes is a session id: tickets are off), none, certificate (asked for, and no ticket), silent (closed
# before a byte came), refused, mute, reused.
watch_handshake() {
  outcome=mute seen_name='' hint=0 alert='' asked=no modern=no
  while IFS= read -r line; do
    case $line in
      *'connect:errno='*) outcome=refused ;;
      *' alert '*:*) alert=${line%:SSL alert*} alert=${alert%:*:*} alert=${alert##*:} ;;
      *':wrong version number:'*) alert='an answer that is no TLS' ;;
      'Acceptable client certificate'* | 'Client Certificate Types'* | 'Requested Signature Algorithms'*) asked=yes ;;
      'SSL handshake has read 0 bytes'*) outcome=silent ;;
      'New, TLSv1.3'*) outcome=none modern=yes ;;
      'New, TLS'*) outcome=none ;;
      'Reused, '*)
        outcome=reused
        break
        ;;
      *'TLS session ticket lifetime hint: '*) hint=${line##*hint: } hint=${hint%% *} ;;
      *' 0000 - '*)
        read_name "$line"
        outcome=short
        ;;
      *' 0020 - '*)
        [ "$outcome" != short ] || outcome=ticket
        break
        ;;
      *'Start Time: '*) [ "$outcome" != short ] || break ;;
      # The end of the session: a TLS 1.2 server has no more to say.
      *'Extended master secret:'*) [ "$modern/$outcome" = yes/none ] || break ;;
    esac
  done
  case $asked/$outcome in
    yes/none | yes/mute) outcome=certificate ;;
  esac
  printf '%s|%s|%s|%s' "$outcome" "$seen_name" "$hint" "$alert"
}

# read_name "    0000 - f8 dd ... 39 71-88 47 ... e1 46   text"
read_name() {
  IFS=' -'
  # shellcheck disable=SC2086
  set -- $1
  unset IFS
  seen_name=$2$3$4$5$6$7$8$9
  shift 9
  seen_name=$seen_name$1$2$3$4$5$6$7$8
}

# Sets $problem and $problem_detail to what the last handshake with $listener shows, or to nothing.
judge() {
  problem='' problem_detail="$listener: wanted a ticket under $name_current"
  case $outcome in
    ticket) judge_ticket ;;
    short | none) problem=tickets-off problem_detail="$problem_detail, got none: session tickets are off" ;;
    certificate) problem=verify-client-certificate problem_detail="$problem_detail, it wants a client certificate" ;;
    silent) problem=verify-proxy-protocol problem_detail="$problem_detail, it closed without a byte, as PROXY protocol does" ;;
    refused) problem=verify-unreachable problem_detail="$problem_detail, connection refused" ;;
    *) problem=verify-unreachable problem_detail="$problem_detail, got ${alert:-no TLS answer}" ;;
  esac
}

judge_ticket() {
  seen=$seen_name
  if [ "$hint" -gt "$conf_TICKET_LIFETIME" ]; then
    problem=lifetime-exceeded
    problem_detail="$listener: wanted a ticket lifetime of at most $conf_TICKET_LIFETIME s, it announces $hint s"
  elif [ "$seen_name" != "$name_current" ]; then
    problem=verify-wrong-key problem_detail="$problem_detail, got one under $seen_name"
  fi
}

# Looks at every listener. Another key is what a load is there to mend, so any other problem goes before it.
look_at_listeners() {
  mendable='' strangers=''
  for listener in $listeners; do
    handshake "$listener"
    judge
    case $problem in
      '') ;;
      verify-wrong-key)
        mendable=$problem_detail
        case "$name_previous $name_next" in
          *"$seen_name"*) ;;
          *) strangers="$strangers $listener" ;;
        esac
        ;;
      *) return 0 ;;
    esac
  done
  [ -z "$mendable" ] || problem=verify-wrong-key problem_detail=$mendable
}

nobody_listens() {
  for listener in $listeners; do
    handshake "$listener"
    [ "$outcome" = refused ] || return 1
  done
}

# HAProxy changes keys at once. After a reload of nginx old workers take connections for a moment yet, so there the key
# counts as seen when it was seen three times in a row.
be_patient() {
  now
  deadline=$((now + 100)) enough=1
  [ "$server" = haproxy ] || deadline=$((now + conf_VERIFY_WAIT * 100)) enough=3
}

verify() {
  be_patient
  sightings=0
  while :; do
    look_at_listeners
    sightings=$((sightings + 1))
    [ -z "$problem" ] || sightings=0
    [ "$sightings" -lt "$enough" ] || break
    wait_or_fail "$problem" "$problem_detail"
  done
  verified=handshake
}

# wait_or_fail CODE DETAIL: a moment of patience, but no problem after the deadline.
wait_or_fail() {
  now
  if [ -n "$1" ] && [ "$now" -ge "$deadline" ]; then fail "$1" "$2"; fi
  sleep 0.05
}

# ---- Proof of a revocation

# Takes a ticket of every listener that encrypts with a key which the new ring does not have.
take_old_tickets() {
  for listener in $strangers; do
    rm -f "$run_dir/taken.new"
    handshake "$listener" -sess_out "$run_dir/taken.new"
    [ -s "$run_dir/taken.new" ] || fail verify-unreachable "$listener: wanted a ticket to try again later, got $outcome"
    old_tickets="$old_tickets $run_dir/ticket.$listener.$seen_name"
    mv -f "$run_dir/taken.new" "${old_tickets##* }"
    note "keeping a ticket under $seen_name of $listener, which the new ring must refuse"
  done
}

# A ticket stays until it was refused, so that a later run tries it again.
try_old_tickets() {
  set +f
  set -- "$run_dir"/ticket.*
  set -f
  for ticket; do
    [ -e "$ticket" ] || continue
    old_name=${ticket##*.}
    listener=${ticket#"$run_dir"/ticket.}
    listener=${listener%.*}
    case " $(ring_names) " in
      # The key came back into the ring: nothing to refuse.
      *" $old_name "*) rm -f "$ticket" ;;
      *) refuse_old_ticket ;;
    esac
  done
}

# Going back would bring the revoked keys back: the new ring stays, and the next run tries the ticket again.
refuse_old_ticket() {
  be_patient
  while :; do
    handshake "$listener" -sess_in "$ticket"
    case $outcome in
      none | ticket | short)
        rm -f "$ticket"
        return 0
        ;;
      reused) problem='old-ticket-accepted' ;;
      *) problem=verify-unreachable ;;
    esac
    wait_or_fail "$problem" "$listener: wanted the ticket under $old_name refused, got $outcome"
  done
}

# ---- Applying

undo() {
  [ -z "$stay" ] || return 0
  # shellcheck disable=SC2086
  [ -z "$stage" ] || rm -f $stage $old_tickets
  [ -z "$undo_files" ] || restore_files
  found=$wanted
  if [ -n "$undo_push" ]; then
    (restore_haproxy) || detail="$detail; pushing the old ring back failed"
  fi
  if [ -n "$undo_reload" ]; then
    run "$conf_NGINX_RELOAD" || detail="$detail; reloading the old ring failed"
  fi
}

# server_not_running WHY: nothing runs, so the files may take the ring that the next start needs.
server_not_running() {
  if [ "$found" != "$wanted" ]; then write_files; fi
  forget_old_files
  stay=yes
  fail server-not-running "$1, and nobody listens on $listeners; the key files hold generation $ring_generation"
}

compare() {
  relation=new
  [ -z "$state_lineage" ] || relation=reset
  if [ "$state_lineage" = "$ring_lineage" ]; then
    if [ "$ring_generation" -lt "$state_generation" ]; then
      relation=older
    elif [ "$ring_generation" -gt "$state_generation" ]; then
      relation=newer
    elif [ "$state_names" = "$(ring_names)" ]; then
      relation=same
    fi
  fi
}

refuse_older() {
  told_lineage=$state_lineage told_generation=$state_generation result=stale
  note "stale: $conf_SECRET holds generation $ring_generation, this machine runs $state_generation"
  exit 1
}

# The label may have moved a moment ago: a replica that still shows the old ring gets some seconds.
fetch_ring() {
  looks=0
  while :; do
    fetch_secret
    parse_secret
    check_ring
    read_state
    compare
    looks=$((looks + 1))
    if [ "$ring_generation" -ge "$asked_generation" ] || [ "$looks" -ge 3 ]; then break; fi
    sleep 1
  done
  unset access_key secret_key session_token metadata_token
  [ "$relation" != older ] || refuse_older
  [ "$ring_generation" -ge "$asked_generation" ] || fail generation-behind \
    "wanted generation $asked_generation or later, $conf_SECRET holds $ring_generation"
}

apply_to_running_server() {
  missing=0
  [ "$server" = nginx ] || look_into_haproxy
  [ "$server" = nginx ] || count_missing
  look_at_listeners
  case $problem in
    '' | verify-wrong-key) ;;
    # No ring can mend these, so nothing is touched and nothing is reloaded.
    *)
      ! nobody_listens || server_not_running "$server does not answer"
      fail "$problem" "$problem_detail"
      ;;
  esac
  if [ "$relation/$missing/$found/$problem" = "same/0/$wanted/" ]; then
    verified=handshake result=unchanged
    return 0
  fi
  stage_state
  take_old_tickets
  [ "$found" = "$wanted" ] || write_files
  "load_$server"
  verify
}

boot() {
  if [ "$relation/$found" = "same/$wanted" ]; then
    result=unchanged
    return 0
  fi
  stage_state
  [ "$found" = "$wanted" ] || write_files
}

apply() {
  key_files
  render
  read_files
  if [ "$boot" = yes ]; then boot; else apply_to_running_server; fi
  if [ "$result" = unchanged ]; then
    told_lineage=$ring_lineage told_generation=$ring_generation
  else
    commit_state
    stay=yes
  fi
  forget_old_files
  [ "$boot" = yes ] || try_old_tickets
  case $result/$relation in
    unchanged/*) ;;
    */reset) result=reset ;;
    *) result=applied ;;
  esac
}

# ---- Beginning

parse_arguments() {
  boot=no patience=3
  while [ "$#" -gt 0 ]; do
    case $1 in
      --help | -h)
        usage
        exit 0
        ;;
      --boot) boot=yes patience=6 ;;
      -*) wrong_usage "unknown option $1" ;;
      *) break ;;
    esac
    shift
  done
  [ "$#" -le 2 ] || wrong_usage 'too many arguments'
  ring=${1:-${TICKETRING_RING:-}} asked_generation=${2:-${SSM_Generation:-1}}
  case $ring in
    '' | [!a-z0-9]* | *[!a-z0-9-]*) wrong_usage "a ring name is lower-case letters, digits and hyphens, not '$ring'" ;;
  esac
  [ "${#ring}" -le 64 ] || wrong_usage 'a ring name has at most 64 characters'
  case $asked_generation in
    0* | *[!0-9]* | ?????????????*) wrong_usage "a generation is a positive number, not '$asked_generation'" ;;
  esac
}

wrong_usage() {
  printf 'apply-ring.sh: %s\n' "$1" >&2
  usage >&2
  exit 2
}

script_version() {
  script=${TICKETRING_SCRIPT:-}
  if [ -z "$script" ] && [ -r "$0" ]; then script=$(sha256sum "$0" 2>/dev/null) || script=; fi
  script=${script%"${script#????????????}"}
  case $script in
    *[!0-9a-f]* | '') script=000000000000 ;;
  esac
}

main() {
  forget_exports
  parse_arguments "$@"
  exec 3>&1 1>&2
  now
  started=$now result='' error='' detail='' server='' seen='' verified=none told_lineage='' told_generation=0
  undo_files='' undo_push='' undo_reload='' stay='' stage='' old_tickets='' found='' wanted=''
  script=000000000000 key_files=''
  trap 'finish "$?"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  script_version
  for tool in base64 chown flock ln mkfifo mv od openssl rm stat stdbuf sync timeout; do need "$tool" ''; done
  load_settings
  choose_server
  prepare_directories
  lock
  [ -p "$run_dir/hold" ] || mkfifo "$run_dir/hold" || fail write-failed "cannot make $run_dir/hold"
  choose_client
  find_credentials
  secrets_endpoint
  fetch_ring
  apply
}

main "$@"
