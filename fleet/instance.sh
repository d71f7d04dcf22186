#!/bin/sh
# What the scripts of an instance share: the result line, settings, the lock, credentials and signed requests, files, the
# runtime socket of HAProxy, the reload of nginx, handshakes. A document carries these lines before those of
# apply-ring.sh or apply-staple.sh; where those are installed as files, they read this one from their own directory.
# It calls what they define: usage, describe, undo; default_own_settings (RUN_DIR too), in_place, choose_files;
# refuse_own; handshake (sets $outcome), look_at_listeners (sets $problem, $problem_detail), server_not_running.
# It reads what they set: $program, $boot_patience, $scope, $order for parse_arguments, $OWN_SETTINGS for load_settings,
# $files, $gone, $aside and $mask for what it writes.
#
# Rules of these files: key bytes travel through builtins, pipes and variables only, never through arguments, the
# environment, here-documents (bash writes those to disk) or messages. Nothing is printed on standard output but the
# result line. What a server or AWS answers is matched exactly: anything unknown is a failure.

# shellcheck disable=SC2034,SC2154 # names shared with the scripts
# As in the scripts, nothing counts unless all of it was read.
{
# Where an expansion stands unquoted it is to be split, and -f keeps it from becoming file names.
# Tracing and exporting would carry secrets to the log or into every child.
set +ax
set -euf
umask 077
LC_ALL=C
export LC_ALL
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
SPACE=' '
LISTENER='address:port=servername or unix:/path=servername'
LF='
'

# zsh splits no words and keeps names for itself, ksh passes no lock on, and to mksh's printf, a program, keys are arguments.
case ${ZSH_VERSION:-}${KSH_VERSION:-}$(command -v printf) in
  printf) ;;
  *)
    echo 'ticketring: wanted dash, bash or busybox as sh, found another shell' >&2
    exit 2
    ;;
esac

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
  printf 'ticketring %s: %s\n' "${scope:-}" "$1" >&2
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
  describe
  line="{\"v\":1,$subject,\"server\":\"$server\",\"result\":\"$result\",$findings,\"verified\":\"$verified\""
  line="$line,\"ms\":$(((now - started) * 10)),\"script\":\"$script\""
  [ "$server/$boot" != nginx/no ] || ask_nginx_version
  [ -z "$server_version" ] || line="$line,\"serverVersion\":\"$server_version\""
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
  case $1/$result in
    0/?* | */failed | */stale) ;;
    *) result=failed ;;
  esac
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

COMMON_SETTINGS="REGION RUN_DIR SERVER LOCK_WAIT VERIFY_WAIT HAPROXY_SOCKET HAPROXY_OWNER HAPROXY_VERIFY"
COMMON_SETTINGS="$COMMON_SETTINGS NGINX_TEST NGINX_RELOAD NGINX_OWNER NGINX_VERIFY"
COMMON_SETTINGS="$COMMON_SETTINGS HAPROXY_CLIENT_CERT HAPROXY_CLIENT_KEY NGINX_CLIENT_CERT NGINX_CLIENT_KEY"

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
    case " $COMMON_SETTINGS $OWN_SETTINGS " in
      *" $key "*) keep "conf_$key" "$value" ;;
      *) fail config-invalid "wanted a known setting in $origin, found $key" ;;
    esac
  done
}

default_settings() {
  conf_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-${AWS_SSM_REGION_NAME:-}}} conf_SERVER='' conf_LOCK_WAIT=30 conf_VERIFY_WAIT=10
  conf_HAPROXY_SOCKET='' conf_HAPROXY_OWNER=root conf_HAPROXY_VERIFY=''
  conf_NGINX_TEST='nginx -t' conf_NGINX_RELOAD='systemctl reload nginx' conf_NGINX_OWNER=root conf_NGINX_VERIFY=''
  conf_HAPROXY_CLIENT_CERT='' conf_HAPROXY_CLIENT_KEY='' conf_NGINX_CLIENT_CERT='' conf_NGINX_CLIENT_KEY=''
  default_own_settings
}

# load_settings NAME: what the document brings, and over it what /etc/ticketring/NAME.conf says.
load_settings() {
  default_settings
  read_settings 'the document' "${TICKETRING_SETTINGS:-}"
  conf=${TICKETRING_CONF_DIR:-/etc/ticketring}/$1.conf
  if [ -e "$conf" ]; then
    [ -r "$conf" ] || fail config-invalid "wanted to read $conf, not permitted"
    text=
    while IFS= read -r setting || [ -n "$setting" ]; do text=$text$setting$LF; done <"$conf"
    read_settings "$conf" "$text"
  fi
  want_number LOCK_WAIT "$conf_LOCK_WAIT"
  want_number VERIFY_WAIT "$conf_VERIFY_WAIT"
  want_path RUN_DIR "$conf_RUN_DIR"
  run_dir=${conf_RUN_DIR%/}
  case $run_dir in
    /?*/?*) ;;
    *) fail config-invalid "wanted RUN_DIR as a directory of its own, such as /run/ticketring/$1, found $conf_RUN_DIR" ;;
  esac
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
  case $2/ in
    *//?* | */./* | */../* | //) ;;
    /?*) return 0 ;;
  esac
  fail config-invalid "wanted $1 as an absolute path without . or .. in it, found $2"
}

want_number() {
  case $2 in
    '' | *[!0-9]* | 0* | ???????*) fail config-invalid "wanted $1 as a number of seconds, found '$2'" ;;
  esac
}

# choose_server HAPROXY_KEY NGINX_KEY: the settings whose presence tells which kind of server a machine has.
choose_server() {
  server=$conf_SERVER
  case $server in
    haproxy | nginx) ;;
    '') choose_only_server "$1" "$2" ;;
    *)
      server=
      fail config-invalid "wanted SERVER as haproxy or nginx, found $conf_SERVER"
      ;;
  esac
  case $server in
    haproxy)
      owner=$conf_HAPROXY_OWNER listeners=$conf_HAPROXY_VERIFY
      choose_client_certificate HAPROXY "$conf_HAPROXY_CLIENT_CERT" "$conf_HAPROXY_CLIENT_KEY"
      ;;
    nginx)
      owner=$conf_NGINX_OWNER listeners=$conf_NGINX_VERIFY
      choose_client_certificate NGINX "$conf_NGINX_CLIENT_CERT" "$conf_NGINX_CLIENT_KEY"
      ;;
  esac
  choose_files
  want_setting OWNER "$owner" '[!A-Za-z0-9_.-]'
  want_listeners
}

choose_only_server() {
  eval "haproxy_has=\$conf_$1 nginx_has=\$conf_$2"
  if [ -n "$haproxy_has" ] && [ -n "$nginx_has" ]; then
    choose_running_server
  elif [ -n "$haproxy_has" ]; then
    server=haproxy
  elif [ -n "$nginx_has" ]; then
    server=nginx
  else
    fail config-invalid "wanted $1 or $2, found neither"
  fi
}

# A ring or a set may serve machines of both kinds. A runtime socket tells which one this is; while HAProxy is down, what
# only one of the two has on this machine.
choose_running_server() {
  [ "$boot" = no ] || fail config-invalid 'wanted SERVER in the settings, since at boot neither server runs'
  server=haproxy
  [ -S "$conf_HAPROXY_SOCKET" ] || choose_only in_place || choose_only has_program ||
    fail config-invalid "wanted SERVER in $conf: no socket $conf_HAPROXY_SOCKET, and both servers or none can be meant"
}

has_program() {
  case $1 in nginx) set -- "${conf_NGINX_TEST%% *}" ;; esac
  command -v "$1"
}

# choose_only TEST...: sets $server to the kind for which the test holds, unless it holds for both or for none.
choose_only() {
  server=
  for kind in haproxy nginx; do
    ! "$@" "$kind" >/dev/null || server=$server$kind
  done
  case $server in haproxy | nginx) return 0 ;; esac
  server=
  return 1
}

# choose_client_certificate KIND CERTIFICATE KEY: what a listener that demands a client certificate is shown.
choose_client_certificate() {
  client_certificate=
  [ -n "$2$3" ] || return 0
  want_path "$1_CLIENT_CERT" "$2"
  want_path "$1_CLIENT_KEY" "$3"
  client_certificate="-cert $2 -key $3"
}

want_listeners() {
  [ -n "$listeners" ] || fail config-invalid "wanted a listener to verify as $LISTENER, found none"
  for listener in $listeners; do
    address=${listener%=*}
    case $listener in
      *[!A-Za-z0-9_./:@+=-]* | *=*=* | *= | [:=]*) bad_listener ;;
      unix:/?*=*)
        want_path VERIFY "${address#unix:}"
        continue
        ;;
      */* | *@* | *+*) bad_listener ;;
      *:*=*) ;;
      *) bad_listener ;;
    esac
    case ${address##*:} in
      '' | *[!0-9]*) bad_listener ;;
    esac
  done
}

bad_listener() {
  fail config-invalid "wanted a listener as $LISTENER, found $listener"
}

# ---- Directory and lock

# A server that drops its privileges before it reads must get through to its files.
make_directory() {
  [ -d "$1" ] || (umask 022 && mkdir -p "$1") || fail write-failed "cannot make $1"
}

# The lock lies on its own open file, so it goes away with this process, however that ends.
lock() {
  [ -w "$run_dir" ] || fail write-failed "cannot write into $run_dir"
  exec 9>"$run_dir/lock"
  flock -w "$conf_LOCK_WAIT" 9 || fail busy "another run held $run_dir/lock for $conf_LOCK_WAIT seconds"
}

# claim FILE...: files of a server that this run writes, each with its temporary neighbours.
claim() {
  for own; do
    beside "$own" new
    claimed="$claimed $own $beside "
    beside "$own" old
    claimed="$claimed $beside "
  done
}

# is_ours PATH: whether it was claimed, or lies in the directory of this ring or set or in the one for its work.
is_ours() {
  case $claimed in *" $1 "*) return 0 ;; esac
  [ -n "$run_dir" ] || return 1
  case ${1%/*} in "$run_dir" | "$run_dir/work") return 0 ;; esac
  return 1
}

# remove FILE...: the one place where these scripts remove something. What is not ours ends the run before anything goes.
remove() {
  for doomed; do
    is_ours "$doomed" && continue
    error=write-failed detail="wanted to remove a file of $run_dir or of the server, found $doomed"
    return 1
  done
  rm -f -- "$@"
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

# metadata METHOD HEADER PATH...: sets $answer. A machine that boots may be there before its role's credentials are.
metadata() {
  request='' all_found=
  add request "$1"
  add header "$2"
  add noproxy '*'
  add connect-timeout 2
  add max-time 4
  shift 2
  for path; do
    add url "$metadata/latest/$path"
    all_found="$all_found*${LF}200 "
  done
  while :; do
    send
    # shellcheck disable=SC2254 # a pattern
    case $client_status/$answer in 0/*$must$all_found*) return 0 ;; esac
    now
    [ "$now" -lt "$metadata_end" ] || break
    sleep 1
  done
  [ "$client_status" = 0 ] || no_metadata "none answers at $metadata"
  no_metadata "it answers $path with ${answer##*"$LF"}"
}

no_metadata() {
  fail no-credentials "wanted some in the environment, a credentials file or the instance metadata; $1"
}

# Cuts $answer into the first body and what follows its status line.
first_answer() {
  body=${answer%%"${LF}200 "*}
  answer=${answer#*"${LF}200 "}
  answer=${answer#*"$LF"}
}

ask_metadata() {
  metadata=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
  metadata=${metadata%/}
  [ "${AWS_EC2_METADATA_DISABLED:-false}" != true ] || no_metadata 'AWS_EC2_METADATA_DISABLED is true'
  now
  metadata_end=$now
  # Half a minute for a ring, a quarter for staples: with the tries to fetch, less than the boot unit's TimeoutStartSec.
  [ "$boot" = no ] || metadata_end=$((now + patience * 500))
  must=''
  metadata PUT 'X-aws-ec2-metadata-token-ttl-seconds: 60' api/token
  first_answer
  metadata_token="X-aws-ec2-metadata-token: $body"
  set -- meta-data/placement/region
  [ -n "$access_key" ] || set -- "$1" meta-data/iam/security-credentials/
  metadata GET "$metadata_token" "$@"
  first_answer
  : "${conf_REGION:=$body}"
  [ -z "$access_key" ] || return 0
  first_answer
  role=${body%%"$LF"*}
  # A role that cannot be assumed yet is answered with 200 as well.
  [ "$boot" = no ] || must='"AccessKeyId"'
  metadata GET "$metadata_token" "meta-data/iam/security-credentials/$role"
  first_answer
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

# endpoint_of SERVICE OVERRIDE: as the SDKs do, an address for the one service goes before that for all.
endpoint_of() {
  service=$1 endpoint=${2:-${AWS_ENDPOINT_URL:-}}
  [ -z "$endpoint" ] || return 0
  case $conf_REGION in
    cn-*) endpoint=https://$service.$conf_REGION.amazonaws.com.cn ;;
    *) endpoint=https://$service.$conf_REGION.amazonaws.com ;;
  esac
}

# ask_aws TARGET BODY: the body as curl's configuration has it, quotes escaped.
ask_aws() {
  request=
  add url "${endpoint%/}/"
  add request POST
  add connect-timeout 3
  add max-time 10
  add user "$access_key:$secret_key"
  add aws-sigv4 "aws:amz:$conf_REGION:$service"
  add header 'Content-Type: application/x-amz-json-1.1'
  add header "X-Amz-Target: $1"
  [ -z "$session_token" ] || add header "X-Amz-Security-Token: $session_token"
  add data "$2"
  send
}

# fetch TARGET BODY: sets $body to what AWS answers.
fetch() {
  action=${1##*.} tries=0
  while :; do
    ask_aws "$1" "$2"
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
    [ "$tries" -lt "$patience" ] || fail endpoint-unreachable "wanted $action from $endpoint, got $http_status"
    sleep "$tries"
  done
  body=${answer%"$LF"*}
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
  esac
  refuse_own
  case $kind in
    ExpiredToken* | UnrecognizedClient* | InvalidClientTokenId* | InvalidSignature* | SignatureDoesNotMatch* | \
      MissingAuthenticationToken* | IncompleteSignature*) fail no-credentials "wanted credentials that AWS accepts; $said" ;;
    AccessDenied* | DecryptionFailure* | KMSAccessDenied*) fail access-denied "$said" ;;
  esac
  fail endpoint-unreachable "wanted $action from $endpoint, got $http_status $said"
}

# ---- Files

# beside FILE SUFFIX: the name of a temporary neighbour.
beside() {
  beside=${1%/*}/$aside${1##*/}.$2
}

# write_new FILE WRITER...: the new FILE beside its place, with the mode that $mask leaves. The writer is a builtin: its words may be a key.
write_new() {
  beside "$1" new
  target=$beside
  shift
  [ ! -e "$target" ] || remove "$target"
  umask "$mask"
  complaint=$({ "$@" >"$target"; } 2>&1) || refuse_write "$target"
  umask 077
}

refuse_write() {
  room=$(stat -f -c '%a blocks, %d inodes' "${1%/*}" 2>/dev/null) || room=unknown
  remove "$1"
  case $room/$complaint in
    '0 '* | *' 0 inodes'* | *'No space left'*) fail disk-full "wanted room for $1, found $room free" ;;
  esac
  fail write-failed "cannot write $1: ${complaint##*: }"
}

# Names the new ones of $files, so that whatever ends this run removes them.
stage_files() {
  new_files=
  for file in $files; do
    beside "$file" new
    new_files="$new_files $beside"
  done
  stage="$stage$new_files"
}

# put_in_place WHAT: the new ones of $files take their places and $gone go, all of which can be undone. They were all
# written beside their places before, so that a full file system is noticed while nothing has changed yet.
put_in_place() {
  if [ -n "$new_files" ]; then
    # shellcheck disable=SC2086
    chown "$owner" $new_files || fail write-failed "cannot give $1 to $owner"
    # shellcheck disable=SC2086
    sync -d $new_files || fail write-failed "cannot flush $1"
  fi
  created=
  for file in $files $gone; do
    beside "$file" old
    if [ ! -e "$file" ]; then created="$created $file "; else ln -f "$file" "$beside"; fi
  done
  undo_files=yes
  for file in $files; do
    beside "$file" new
    mv -f "$beside" "$file"
  done
  # shellcheck disable=SC2086
  [ -z "$gone" ] || remove $gone
  label_files
}

label_files() {
  [ -e /sys/fs/selinux/enforce ] || return 0
  command -v restorecon >/dev/null || return 0
  [ -n "$files" ] || return 0
  # shellcheck disable=SC2086
  restorecon $files || note "warning: no SELinux label for $files"
}

# The other way round, so that what names a file is gone before the file is.
restore_files() {
  backwards=
  for file in $files $gone; do backwards="$file $backwards"; done
  for file in $backwards; do
    beside "$file" old
    case $created in
      *" $file "*) remove "$file" ;;
      *) [ ! -e "$beside" ] || mv -f "$beside" "$file" ;;
    esac
  done
  forget_old_files
}

forget_old_files() {
  old=
  for file in $files $gone; do
    beside "$file" old
    [ ! -e "$beside" ] || old="$old $beside"
  done
  # shellcheck disable=SC2086
  [ -z "$old" ] || remove $old
}

# keep_version TEXT: sets $server_version to the text up to its first space, if that is a version.
keep_version() {
  set -- "${1%%[[:space:]]*}"
  case $1 in
    '' | *[!A-Za-z0-9._+~-]* | ????????????????????????????????????????*) ;;
    *) server_version=$1 ;;
  esac
}

# take_turn KIND WHICH: from here on this run alone loads or reloads that server of the machine. Sets $turn to its lock.
take_turn() {
  turn=$(printf %s "$2" | cksum)
  turn=${run_dir%/*}/$1.${turn%% *}.reload
  [ -w "${run_dir%/*}" ] || turn=$run_dir/$1.reload
  exec 8>>"$turn"
  flock -w "$conf_LOCK_WAIT" 8 || note "another run held $turn for $conf_LOCK_WAIT seconds, not waiting for it"
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

# take_haproxy_version: cuts what "show info" said at the end off $response, and keeps the version.
take_haproxy_version() {
  case $response in
    *"Name: "*"${LF}Version: "*) keep_version "${response##*"${LF}Version: "}" ;;
  esac
  response=${response%%"Name: "*}
}

# The one list of HAProxy releases that are not given a staple at run time: each but those that are known to be sound. In
# the others "set ssl ocsp-response" frees what a handshake may be reading, and can show memory to a client (BUG/MAJOR
# 26e74f140 of 28 July 2026, in 3.5-dev4; "must be backported to all supported versions"). Which stable releases have it
# could not be found out, and what a distribution backports does not show in the number.
sets_staples_safely() {
  case $server_version in
    3.5-dev[0-3] | 3.5-dev[0-3]-*) return 1 ;;
    3.[5-9] | 3.[5-9][.-]* | 3.[1-9][0-9]* | [4-9].* | [1-9][0-9].*) return 0 ;;
  esac
  return 1
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

want_socket() {
  [ ! -S "$conf_HAPROXY_SOCKET" ] || return 0
  ! nobody_listens || server_not_running "no socket $conf_HAPROXY_SOCKET"
  fail socket-refused "wanted the runtime socket $conf_HAPROXY_SOCKET, found none, though a listener answers"
}

# ---- nginx

# run WORDS: a configured command, split into words, no shell; $response is what it said.
run() {
  # shellcheck disable=SC2086
  response=$(timeout 20 $1 2>&1 3>&- 8>&- 9>&-)
}

# A reload makes nginx close idle connections, so one serves both a ring and its staples: whoever comes second and finds
# that a reload began after its own files were in place leaves it at that. One lock and mark for each reload command.
load_nginx() {
  now
  placed=$now
  read -r machine_start </proc/sys/kernel/random/boot_id
  take_turn nginx "$conf_NGINX_RELOAD"
  undo_reload=yes
  if reloaded_since; then
    note 'nginx was reloaded for another run since these files were in place'
  else
    reload_nginx
  fi
  exec 8>&-
}

# The clock counts from the start of the machine, so a mark from before that tells nothing.
reloaded_since() {
  mark_start='' mark=0
  now
  read -r mark_start mark <"$turn" || :
  case $mark in
    '' | *[!0-9]*) return 1 ;;
  esac
  [ "$mark_start" = "$machine_start" ] && [ "$mark" -gt "$placed" ] && [ "$mark" -le "$now" ]
}

reload_nginx() {
  undo_reload=
  run "$conf_NGINX_TEST" || fail config-test-failed "$conf_NGINX_TEST: $(last_alert)"
  undo_reload=yes
  now
  mark=$now
  run "$conf_NGINX_RELOAD" || fail reload-failed "$conf_NGINX_RELOAD: $(last_alert)"
  printf '%s %s\n' "$machine_start" "$mark" >"$turn"
}

ask_nginx_version() {
  case ${conf_NGINX_TEST%% *} in nginx | */nginx) ;; *) return 0 ;; esac
  run "${conf_NGINX_TEST%% *} -v" || return 0
  case $response in 'nginx version: '*/*) keep_version "${response#*/}" ;; esac
}

# nginx ends with "configuration file ... test failed"; the reason stands in a line above.
last_alert() {
  case $response in
    *'[emerg]'*) printf '%s' "${response##*"[emerg]"}" ;;
    *) printf '%s' "$response" ;;
  esac
}

# ---- Handshakes

# split_listener LISTENER: sets $server_name, and $connect to the words that lead s_client there.
split_listener() {
  address=${1%=*} server_name=${1##*=}
  case $address in
    unix:*) connect="-unix ${address#unix:}" ;;
    *:*:*) connect="-connect [${address%:*}]:${address##*:}" ;;
    *) connect="-connect $address" ;;
  esac
  connect="$connect -servername $server_name $client_certificate"
}

# read_client_line LINE: what s_client says of the connection sets $outcome, $alert, $asked (for a client certificate) and
# $modern (TLS 1.3). Outcomes: none (a session, nothing more yet), silent (closed before a byte came), refused.
read_client_line() {
  case $1 in
    *'connect:errno='*) outcome=refused ;;
    *' alert '*:*) alert=${1%:SSL alert*} alert=${alert%:*:*} alert=${alert##*:} ;;
    *':wrong version number:'*) alert='an answer that is no TLS' ;;
    'Acceptable client certificate'* | 'Client Certificate Types'* | 'Requested Signature Algorithms'*) asked=yes ;;
    'SSL handshake has read 0 bytes'*) [ "$outcome" = refused ] || outcome=silent ;;
    'New, TLSv1.3'*) outcome=none modern=yes ;;
    'New, TLS'*) outcome=none ;;
  esac
}

# Sets $problem to why a handshake showed nothing; $problem_detail says already what was wanted.
judge_silence() {
  case $outcome in
    certificate) problem=verify-client-certificate problem_detail="$problem_detail, it wants a client certificate" ;;
    silent) problem=verify-proxy-protocol problem_detail="$problem_detail, it closed without a byte, as PROXY protocol does" ;;
    refused) problem=verify-unreachable problem_detail="$problem_detail, connection refused" ;;
    *) problem=verify-unreachable problem_detail="$problem_detail, got ${alert:-no TLS answer}" ;;
  esac
}

nobody_listens() {
  for listener in $listeners; do
    handshake "$listener"
    [ "$outcome" = refused ] || return 1
  done
}

# HAProxy's socket changes things at once. After a reload old workers take connections for a moment yet, so there what
# is looked for counts as seen when it was seen three times in a row.
be_patient() {
  now
  deadline=$((now + 100)) enough=1
  [ "$server$undo_reload" = haproxy ] || deadline=$((now + conf_VERIFY_WAIT * 100)) enough=3
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

# ---- Beginning

# parse_arguments WORDS: over what $scope (the ring or set) and $order hold by default.
parse_arguments() {
  boot=no patience=3
  while [ "$#" -gt 0 ]; do
    case $1 in
      --help | -h)
        usage
        exit 0
        ;;
      --boot) boot=yes patience=$boot_patience ;;
      -*) wrong_usage "unknown option $1" ;;
      *) break ;;
    esac
    shift
  done
  [ "$#" -le 2 ] || wrong_usage 'too many arguments'
  scope=${1:-$scope} order=${2:-$order}
  case $scope in
    '' | [!a-z0-9]* | *[!a-z0-9-]*) wrong_usage "a name is lower-case letters, digits and hyphens, not '$scope'" ;;
  esac
  [ "${#scope}" -le 64 ] || wrong_usage 'a name has at most 64 characters'
}

wrong_usage() {
  printf '%s: %s\n' "$program" "$1" >&2
  usage >&2
  exit 2
}

# The version is the hash of what a document carries: these lines, then those of the script.
script_version() {
  script=${TICKETRING_SCRIPT:-}
  if [ -z "$script" ] && [ -r "$0" ]; then script=$(cat "${TICKETRING_INSTANCE:-}" "$0" 2>/dev/null | sha256sum) || script=; fi
  script=${script%"${script#????????????}"}
  case $script in
    *[!0-9a-f]* | '') script=000000000000 ;;
  esac
}

# begin TOOL...: from here on a run cannot end without its line.
begin() {
  exec 3>&1 1>&2
  now
  started=$now result='' error='' detail='' server='' server_version='' verified=none script=000000000000
  undo_files='' undo_reload='' stay='' stage='' files='' new_files='' gone='' created='' claimed=''
  trap 'finish "$?"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  script_version
  for tool in chown cksum flock ln mv openssl rm stat sync timeout "$@"; do need "$tool" ''; done
}
}
