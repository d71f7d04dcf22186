#!/bin/sh
# Puts the ticket-key ring that Secrets Manager names AWSCURRENT into the TLS terminator of this machine, proves by a
# real handshake that the server encrypts with it, and prints one result line. Whatever fails, the server keeps
# running what it ran before. `apply-ring.sh --help` tells how to run it by hand. The rules stand in instance.sh.

# Nothing runs unless all of it was read: a text that is cut short lacks the last brace, and no shell runs that.
{
set -eu

# In a document the lines of instance.sh stand above these.
if ! command -v read_settings >/dev/null; then
  TICKETRING_INSTANCE=$(readlink -f "$0")
  TICKETRING_INSTANCE=${TICKETRING_INSTANCE%/*}/instance.sh
  # shellcheck source=fleet/instance.sh
  . "$TICKETRING_INSTANCE" || exit 2
  # An empty one says nothing.
  command -v read_settings >/dev/null || exit 2
fi

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
    '  SERVER                        haproxy or nginx; default: the one configured, or running, or installed' \
    '  HAPROXY_KEYS                  file of tls-ticket-keys' \
    '  HAPROXY_SOCKET                runtime socket, level admin' \
    '  NGINX_KEYS                    directory of nginx.current.key, nginx.next.key and nginx.previous.key' \
    '  NGINX_TEST, NGINX_RELOAD      default: nginx -t, systemctl reload nginx; words, no shell' \
    '  HAPROXY_KEY_SIZE, NGINX_KEY_SIZE  80 (default) or 48' \
    '  HAPROXY_OWNER, NGINX_OWNER    of the key files, default root' \
    "  HAPROXY_VERIFY, NGINX_VERIFY  listeners to prove it on, $LISTENER" \
    '  HAPROXY_CLIENT_CERT, HAPROXY_CLIENT_KEY, NGINX_CLIENT_CERT, NGINX_CLIENT_KEY' \
    '    files of a client certificate, for listeners that demand one' \
    '  RUN_DIR                       default /run/ticketring/RING, on a tmpfs' \
    '  ALLOW_DISK                    yes: the keys may be kept on a disk' \
    '  LOCK_WAIT, VERIFY_WAIT        seconds to wait for another run (30), for the key to be seen (10)' \
    '' \
    'Credentials: the environment, the shared credentials file, or the instance metadata (IMDSv2).'
}

# ---- The one result line

describe() {
  subject="\"ring\":\"$ring\",\"lineage\":\"$told_lineage\",\"generation\":${told_generation:-0}"
  findings="\"encryptsWith\":\"$seen\""
}

# ---- Settings

OWN_SETTINGS='SECRET TICKET_LIFETIME ALLOW_DISK HAPROXY_KEYS HAPROXY_KEY_SIZE NGINX_KEYS NGINX_KEY_SIZE'

default_own_settings() {
  conf_SECRET='' conf_TICKET_LIFETIME='' conf_ALLOW_DISK=no conf_RUN_DIR=/run/ticketring/$ring
  conf_HAPROXY_KEYS='' conf_HAPROXY_KEY_SIZE=80 conf_NGINX_KEYS='' conf_NGINX_KEY_SIZE=80
}

# in_place SERVER: whether its key files are there.
in_place() {
  case $1 in
    haproxy) [ -e "$conf_HAPROXY_KEYS" ] ;;
    nginx) [ -e "${conf_NGINX_KEYS%/}/nginx.current.key" ] ;;
  esac
}

choose_files() {
  case $server in
    haproxy)
      keys=$conf_HAPROXY_KEYS key_size=$conf_HAPROXY_KEY_SIZE
      want_path HAPROXY_KEYS "$keys"
      want_path HAPROXY_SOCKET "$conf_HAPROXY_SOCKET"
      keys_dir=${keys%/*}
      ;;
    nginx)
      keys=${conf_NGINX_KEYS%/} key_size=$conf_NGINX_KEY_SIZE
      want_path NGINX_KEYS "$keys"
      keys_dir=$keys
      ;;
  esac
  case $key_size in
    80 | 48) ;;
    *) fail config-invalid "wanted a key size of 80 or 48, found $key_size" ;;
  esac
}

# ---- Directory

prepare_directories() {
  make_directory "$run_dir"
  make_directory "$keys_dir"
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

# ---- The ring

# The stage is named because the policy permits only what AWSCURRENT names.
fetch_secret() {
  endpoint_of secretsmanager "${AWS_ENDPOINT_URL_SECRETS_MANAGER:-}"
  fetch secretsmanager.GetSecretValue "{\\\"SecretId\\\":\\\"$conf_SECRET\\\",\\\"VersionStage\\\":\\\"AWSCURRENT\\\"}"
}

refuse_own() {
  case $kind/$value in
    ResourceNotFoundException/* | InvalidRequestException/*delet*)
      fail secret-missing "wanted $conf_SECRET at AWSCURRENT in $conf_REGION; $said"
      ;;
  esac
}

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
  case $body in
    *'"SecretString"'*) ;;
    *) invalid 'no SecretString' ;;
  esac
  IFS='"'
  # shellcheck disable=SC2086
  set -- ${body#*'"SecretString"'}
  unset IFS body
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

# ---- Key files

key_files() {
  case $server in
    haproxy) set -- "$keys" ;;
    # previous first: whatever the moment, the old current and the new one are both among the three.
    nginx) set -- "$keys/nginx.previous.key" "$keys/nginx.current.key" "$keys/nginx.next.key" ;;
  esac
  files=$*
  claim "$@"
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
  for file in $files; do
    [ -r "$file" ] || return 0
  done
  if [ "$server" = haproxy ]; then
    while IFS= read -r text || [ -n "$text" ]; do found=$found${found:+$LF}$text; done <"$keys"
  else
    # shellcheck disable=SC2086
    found=$(od -An -v -to1 "-w$key_size" $files)
  fi
}

write_files() {
  stage_files
  case $server in
    haproxy) write_new "$keys" printf '%s\n' "$wanted" ;;
    nginx)
      write_new "$keys/nginx.previous.key" bytes_of "$octal_previous"
      write_new "$keys/nginx.current.key" bytes_of "$octal_current"
      write_new "$keys/nginx.next.key" bytes_of "$octal_next"
      ;;
  esac
  put_in_place "$keys"
}

# ---- HAProxy

# Sets $held to the three keys of the process, oldest first, as its file has them.
look_into_haproxy() {
  want_socket
  ask "show cli level;show tls-keys $keys;show info"
  take_haproxy_version
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

# A reload may have begun since HAProxy was looked into, and its new worker has read the new file: a key that is pushed a
# second time drives another one out. So what is missing is counted once more, as late as can be.
load_haproxy() {
  undo_push=yes
  look_into_haproxy
  count_missing
  [ "$missing" = 0 ] || push "$missing" "$wanted"
  # The new worker came between the two.
  [ "$held" = "$wanted" ] || push 3 "$wanted"
  [ "$held" = "$wanted" ] || fail socket-unexpected 'HAProxy holds another ring than the one pushed'
}

# A new worker that had read the old file may take over once the old worker was pushed to and seen. One that takes longer
# than this run is found by the next: it is a generation behind, which loses nothing.
outlive_reload() {
  look_into_haproxy
  [ "$held" != "$wanted" ] || return 0
  note 'HAProxy was reloaded meanwhile, with the old file: loading the ring once more'
  load_haproxy
  verify
  look_into_haproxy
  [ "$held" = "$wanted" ] || fail socket-unexpected 'HAProxy holds another ring than the one pushed: it was reloaded again and again'
}

restore_haproxy() {
  look_into_haproxy
  [ "$held" = "$before" ] || push 3 "$before"
}

# ---- Handshakes

# handshake LISTENER [OPTION...]: sets $outcome, $seen_name (32 hex digits), $hint (seconds) and $alert. A TLS 1.3
# server sends its ticket after the handshake, so standard input stays open until it came: the reader of the output
# opens the FIFO when it has seen enough, and only then does standard input end.
handshake() {
  split_listener "$1"
  shift
  # shellcheck disable=SC2086
  saw=$(
    # Whatever outlives a killed script must hold neither its lock nor its output.
    exec 3>&- 8>&- 9>&-
    { read -r _ <"$run_dir/hold" || :; } |
      timeout 4 stdbuf -oL openssl s_client -no-CAfile -no-CApath $connect "$@" 2>&1 |
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
    read_client_line "$line"
    case $line in
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
    *) judge_silence ;;
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

# ---- Proof of a revocation

# Takes a ticket of every listener that encrypts with a key which the new ring does not have.
take_old_tickets() {
  for listener in $strangers; do
    remove "$run_dir/taken.new"
    handshake "$listener" -sess_out "$run_dir/taken.new"
    [ -s "$run_dir/taken.new" ] || fail verify-unreachable "$listener: wanted a ticket to try again later, got $outcome"
    ticket_file "$listener"
    old_tickets="$old_tickets $ticket_file.$seen_name"
    mv -f "$run_dir/taken.new" "${old_tickets##* }"
    note "keeping a ticket under $seen_name of $listener, which the new ring must refuse"
  done
}

# ticket_file LISTENER: sets the head of its tickets' names, in which a comma stands for each slash of a path.
ticket_file() {
  ticket_file=$1
  while :; do
    case $ticket_file in
      */*) ticket_file=${ticket_file%%/*},${ticket_file#*/} ;;
      *) break ;;
    esac
  done
  ticket_file=$run_dir/ticket.$ticket_file
}

# listener_of TICKET: sets $listener to the one of the settings that the ticket is of.
listener_of() {
  for listener in $listeners; do
    ticket_file "$listener"
    [ "$1" != "$ticket_file" ] || return 0
  done
  return 1
}

# A ticket stays until it was refused, so that a later run tries it again.
try_old_tickets() {
  set +f
  set -- "$run_dir"/ticket.*
  set -f
  for ticket; do
    [ -e "$ticket" ] || continue
    old_name=${ticket##*.}
    # The settings do not name it any more, and perhaps nothing is left there to refuse it.
    if ! listener_of "${ticket%.*}"; then
      note "forgetting $ticket, which is of no listener of the settings any more"
      remove "$ticket"
      continue
    fi
    case " $(ring_names) " in
      # The key came back into the ring: nothing to refuse.
      *" $old_name "*) remove "$ticket" ;;
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
        remove "$ticket"
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
  [ -z "$stage" ] || remove $stage $old_tickets
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
    if [ "$ring_generation" -ge "$order" ] || [ "$looks" -ge 3 ]; then break; fi
    sleep 1
  done
  unset access_key secret_key session_token metadata_token
  [ "$relation" != older ] || refuse_older
  [ "$ring_generation" -ge "$order" ] || fail generation-behind \
    "wanted generation $order or later, $conf_SECRET holds $ring_generation"
}

apply_to_running_server() {
  missing=0
  [ "$server" = nginx ] || look_into_haproxy
  [ "$server" = nginx ] || count_missing
  before=$held
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
  # A reload for a staple reads the key file: not while this ring is on its way.
  [ "$server" = nginx ] || take_turn haproxy "$conf_HAPROXY_SOCKET"
  stage_state
  take_old_tickets
  [ "$found" = "$wanted" ] || write_files
  "load_$server"
  verify
  [ "$server" = haproxy ] || return 0
  # What was revoked must be gone for good: a new worker that is still on its way gets the time to take over.
  [ -z "$old_tickets" ] || sleep 1
  outlive_reload
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

main() {
  forget_exports
  program=apply-ring.sh boot_patience=6 scope=${TICKETRING_RING:-} order=${SSM_Generation:-1}
  parse_arguments "$@"
  case $order in
    0* | *[!0-9]* | ?????????????*) wrong_usage "a generation is a positive number, not '$order'" ;;
  esac
  ring=$scope seen='' told_lineage='' told_generation=0 undo_push='' held='' old_tickets='' found='' wanted='' aside='' mask=0377
  begin base64 mkfifo od stdbuf
  load_settings "$ring"
  want_setting SECRET "$conf_SECRET" '[!A-Za-z0-9_./:=@+-]'
  want_number TICKET_LIFETIME "$conf_TICKET_LIFETIME"
  choose_server HAPROXY_KEYS NGINX_KEYS
  prepare_directories
  lock
  [ -p "$run_dir/hold" ] || mkfifo "$run_dir/hold" || fail write-failed "cannot make $run_dir/hold"
  choose_client
  find_credentials
  fetch_ring
  apply
}

main "$@"
}
