#!/bin/sh
# Puts the OCSP responses that Parameter Store holds for the certificates of this machine into its TLS terminator, proves
# by a real handshake that they are stapled, removes those that were withdrawn, and prints one result line. Whatever
# fails, what was stapled before stays stapled until its end. `apply-staple.sh --help` tells how to run it by hand. The
# rules stand in instance.sh. A response is public: nothing here is secret but the credentials.

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
    'usage: apply-staple.sh [--boot] SET [STAPLES]' \
    '' \
    'Fetches the OCSP responses of the set SET for the certificates of this machine, has HAProxy or nginx staple them' \
    'and proves it by a handshake. STAPLES: all (default), or ID=SHA256 and ID=withdrawn, separated by commas.' \
    'Prints one JSON result line; notes go to standard error.' \
    'Exit status: 0 applied or unchanged; 1 failed; 2 wrong usage.' \
    '  --boot  before the server starts: fetch, check and put the files in place, prove nothing' \
    '' \
    'Settings, KEY=value, in /etc/ticketring/SET.staples.conf (TICKETRING_CONF_DIR names another directory):' \
    '  STORE                         prefix of the parameters, default /ticketring/staples/SET' \
    '  REGION                        default: AWS_REGION, then the instance metadata' \
    '  SERVER                        haproxy or nginx; default: the one configured, or running, or installed' \
    '  HAPROXY_CERTS                 PEM files, or directories of *.pem, separated by spaces; FILE.ocsp is the staple' \
    '  HAPROXY_SOCKET                runtime socket, level admin' \
    '  HAPROXY_RELOAD                reloads HAProxy, for a withdrawn staple and, before 3.5, for a fresh one; words' \
    '  NGINX_STAPLES                 CERTIFICATE=STAPLE files, separated by spaces; nginx.conf says' \
    '                                include STAPLE[.]conf; in the server of that certificate' \
    '  NGINX_TEST, NGINX_RELOAD      default: nginx -t, systemctl reload nginx; words, no shell' \
    '  HAPROXY_OWNER, NGINX_OWNER    of the staples, default root' \
    "  HAPROXY_VERIFY, NGINX_VERIFY  listeners to prove it on, $LISTENER" \
    '  HAPROXY_CLIENT_CERT, HAPROXY_CLIENT_KEY, NGINX_CLIENT_CERT, NGINX_CLIENT_KEY' \
    '    files of a client certificate, for listeners that demand one' \
    '  RUN_DIR                       default /run/ticketring/SET.staples' \
    '  LOCK_WAIT, VERIFY_WAIT        seconds to wait for another run (30), for the staple to be seen (10)' \
    '' \
    'Credentials: the environment, the shared credentials file, or the instance metadata (IMDSv2).'
}

# ---- The one result line

describe() {
  subject="\"staples\":\"$set\""
  findings="\"installed\":$installed,\"withdrawn\":$withdrawn,\"held\":$held"
}

# object CODE DETAIL: one certificate has a problem, the others are served; the run fails in the end.
object() {
  if [ -n "$trouble" ]; then
    printable "$2"
    note "$1: $printable"
    return 0
  fi
  trouble=$1 trouble_detail=$2
}

# recall NAME ID: what was kept of a certificate.
recall() {
  eval "value=\${$1_$2:-}"
}

# ---- Settings

OWN_SETTINGS='STORE HAPROXY_CERTS HAPROXY_RELOAD NGINX_STAPLES'

default_own_settings() {
  conf_STORE=/ticketring/staples/$set conf_RUN_DIR=/run/ticketring/$set.staples
  conf_HAPROXY_CERTS='' conf_HAPROXY_RELOAD='' conf_NGINX_STAPLES=''
}

# in_place SERVER: whether a staple of it is there.
in_place() {
  if [ "$1" = nginx ]; then
    for pair in $conf_NGINX_STAPLES; do
      [ ! -e "${pair#*=}" ] || return 0
    done
  else
    for file in $conf_HAPROXY_CERTS; do
      set +f
      set -- "$file.ocsp" "${file%/}"/*.ocsp
      set -f
      if [ -e "$1" ] || [ -e "$2" ]; then return 0; fi
    done
  fi
  return 1
}

choose_files() {
  case $server in
    haproxy)
      [ -n "$conf_HAPROXY_CERTS" ] || want_path HAPROXY_CERTS ''
      for file in $conf_HAPROXY_CERTS; do want_path HAPROXY_CERTS "$file"; done
      want_path HAPROXY_SOCKET "$conf_HAPROXY_SOCKET"
      ;;
    nginx)
      [ -n "$conf_NGINX_STAPLES" ] || want_path NGINX_STAPLES ''
      for pair in $conf_NGINX_STAPLES; do
        case $pair in
          /?*=/?*) ;;
          *) fail config-invalid "wanted NGINX_STAPLES as certificate=staple, found $pair" ;;
        esac
        want_path NGINX_STAPLES "${pair%%=*}"
        want_path NGINX_STAPLES "${pair#*=}"
      done
      ;;
  esac
}

# The order comes from Run Command, where old agents put its text into the script.
check_order() {
  case $order in
    all) return 0 ;;
    *,) wrong_usage "staples end with a comma: '$order'" ;;
  esac
  IFS=,
  for word in $order; do
    id=${word%%=*} told=${word#*=}
    case ${#id}/$id/${#told}/$told in
      32/*[!0-9a-f]*/*/*) wrong_usage "an ID is 32 hex digits, not '$id'" ;;
      32/*/9/withdrawn) ;;
      32/*/64/*[!0-9a-f]*) wrong_usage "a SHA-256 is 64 hex digits, not '$told'" ;;
      32/*/64/*) ;;
      *) wrong_usage "staples are all, or ID=SHA256 and ID=withdrawn, not '$word'" ;;
    esac
  done
  unset IFS word id told
}

# told_of ID: sets $told to all, the SHA-256 of a response, withdrawn, or nothing where it is not named.
told_of() {
  case $order, in
    all,) told=all ;;
    "$1"=*) told=${order#"$1"=} ;;
    *",$1="*) told=${order#*",$1="} ;;
    *) told='' ;;
  esac
  told=${told%%,*}
}

# ---- The certificates of this machine

# Sets $places, a line "ID CERTIFICATE STAPLE" for each, and $ids, those that the order names.
find_places() {
  places='' ids=''
  case $server in
    haproxy) for file in $conf_HAPROXY_CERTS; do find_haproxy_places "$file"; done ;;
    nginx) for pair in $conf_NGINX_STAPLES; do add_place "${pair%%=*}" "${pair#*=}"; done ;;
  esac
}

find_haproxy_places() {
  if [ ! -d "$1" ]; then
    add_place "$1" "$1.ocsp"
    return 0
  fi
  set +f
  set -- "${1%/}"/*.pem
  set -f
  for certificate; do
    case $certificate in
      */'*.pem') [ -e "$certificate" ] || continue ;;
      *[!A-Za-z0-9_./:@,+*-]*)
        note "leaving out a file of ${certificate%/*}: its name holds characters that no setting may"
        continue
        ;;
    esac
    if identify "$certificate"; then
      add_identified "$certificate" "$certificate.ocsp"
    else
      note "leaving out $certificate: it begins with no certificate that can be read"
    fi
  done
}

add_place() {
  identify "$1" || fail certificate-unreadable "wanted a certificate of a positive serial number in $1, found none to read"
  add_identified "$1" "$2"
}

add_identified() {
  case $LF$places in
    *"$LF$id $1 "*) return 0 ;;
  esac
  places="$places$id $1 $2$LF"
  claim "$2" "$2.conf"
  keep "leaf_$id" "$leaf"
  keep "serial_$id" "$serial"
  told_of "$id"
  keep "told_$id" "$told"
  case $told/$ids in
    /* | */*"$id"*) ;;
    *) ids="$ids $id" ;;
  esac
}

# identify FILE: sets $id, $serial (hex digits) and $leaf (PEM) of its first certificate. The ID is made of the public key
# in DER and the serial number, so that a file is known by what is in it.
identify() {
  certificate_text=$(openssl x509 -in "$1" -serial -pubkey 2>/dev/null </dev/null) || return 1
  leaf=${certificate_text#*"-----BEGIN CERTIFICATE-----"}
  leaf="-----BEGIN CERTIFICATE-----$leaf"
  serial=${certificate_text#*serial=}
  serial=${serial%%"$LF"*}
  case $serial in
    '' | *[!0-9A-F]*) return 1 ;;
  esac
  public_key=${certificate_text#*"-----BEGIN PUBLIC KEY-----"}
  public_key=${public_key%%-----END*}
  digits=$serial octets=
  while [ -n "$digits" ]; do
    octets="$octets 0x${digits%"${digits#??}"}" digits=${digits#??}
    [ "$octets" != ' 0x00' ] || octets=
  done
  # shellcheck disable=SC2059,SC2086 # a format made of octal escapes, from words
  id=$({ printf %s "$public_key" | base64 -d && printf "$([ -z "$octets" ] || printf '\\%03o' $octets)"; } | sha256sum)
  id=$(printf %.32s "$id")
}

# ---- The store

refuse_own() {
  :
}

# Asks for the entries of $ids, ten at a time as Parameter Store permits; text_ID becomes an entry's JSON.
fetch_entries() {
  endpoint_of ssm "${AWS_ENDPOINT_URL_SSM:-}"
  names='' count=0
  for id in $ids; do
    keep "text_$id" ''
    names="$names${names:+,}\\\"$conf_STORE/$id\\\"" count=$((count + 1))
    [ "$((count % 10))" != 0 ] || fetch_named
  done
  [ -z "$names" ] || fetch_named
}

fetch_named() {
  fetch AmazonSSM.GetParameters "{\\\"Names\\\":[$names]}"
  names=
  read_parameters
}

# Finds Name and Value of each parameter in $body. It is cut at the quotes, which leaves punctuation and strings in turn;
# a quote after an odd number of backslashes belongs to its string.
read_parameters() {
  IFS='"'
  # shellcheck disable=SC2086
  set -- $body
  unset IFS body
  field='' parameter_name='' parameter_value=''
  while [ "$#" -gt 1 ]; do
    punctuation=$1 quoted=$2
    shift 2
    while ends_escaped "$quoted" && [ "$#" -gt 0 ]; do
      quoted="$quoted\"$1"
      shift
    done
    case $punctuation in
      *'}'*) keep_parameter ;;
    esac
    case $field$punctuation in
      Name: | 'Name: ' | 'Name : ') parameter_name=$quoted field='' ;;
      Value: | 'Value: ' | 'Value : ') parameter_value=$quoted field='' ;;
      *) field=$quoted ;;
    esac
  done
  keep_parameter
}

ends_escaped() {
  backslashes=${1##*[!\\]}
  [ "$((${#backslashes} % 2))" = 1 ]
}

keep_parameter() {
  id=${parameter_name##*/}
  case " $ids " in
    *" $id "*)
      json="$parameter_value\""
      if [ "$parameter_name" = "$conf_STORE/$id" ] && take_rest_of_string; then keep "text_$id" "$string"; fi
      ;;
  esac
  parameter_name='' parameter_value=''
}

# ---- JSON, as strictly as the function writes it: one object, whose values are texts, whole numbers, true, false, null and
# at most one more level of objects. What is taken is cut off $json; a status of 1 says that it is no such JSON.

take_space() {
  while :; do
    case $json in
      [\ \	]* | "$LF"*) json=${json#?} ;;
      *) return 0 ;;
    esac
  done
}

take_mark() {
  take_space
  case $json in
    "$1"*) json=${json#?} ;;
    *) return 1 ;;
  esac
}

# Sets $string to what is before the closing quote.
take_rest_of_string() {
  string=
  while :; do
    chunk=${json%%[\"\\]*}
    case $chunk in
      *[[:cntrl:]]*) return 1 ;;
    esac
    string=$string$chunk json=${json#"$chunk"}
    case $json in
      '"'*)
        json=${json#?}
        return 0
        ;;
      \\[\"\\/]*)
        json=${json#?}
        string=$string${json%"${json#?}"} json=${json#?}
        ;;
      \\[bfnrt]*) string="$string " json=${json#??} ;;
      \\u00[2-7][0-9a-fA-F]*)
        chunk=${json#??}
        # shellcheck disable=SC2059 # an octal escape
        string=$string$(printf "\\$(printf %o "0x${chunk%"${chunk#????}"}")") json=${json#??????}
        ;;
      \\u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]*) string="$string?" json=${json#??????} ;;
      *) return 1 ;;
    esac
  done
}

# take_members PREFIX: everything up to the closing brace.
take_members() {
  take_mark '{' || return 1
  ! take_mark '}' || return 0
  while :; do
    take_mark '"' && take_rest_of_string || return 1
    case $string in
      '' | *[!A-Za-z0-9]*) return 1 ;;
    esac
    case $entry_fields in
      *" $1$string "*) return 1 ;;
    esac
    entry_fields="$entry_fields$1$string "
    take_mark : && take_value "$1$string" || return 1
    ! take_mark '}' || return 0
    take_mark , || return 1
  done
}

take_value() {
  take_space
  case $json in
    '"'*)
      take_mark '"' && take_rest_of_string || return 1
      store_value "$1" "$string" text
      ;;
    '{'*)
      case $1 in
        *.*) return 1 ;;
      esac
      take_members "$1."
      ;;
    *)
      chunk=${json%%[!A-Za-z0-9]*}
      case $chunk in
        true | false | null) ;;
        '' | *[!0-9]* | 0?*) return 1 ;;
      esac
      json=${json#"$chunk"}
      store_value "$1" "$chunk" word
      ;;
  esac
}

store_value() {
  case $1/$3 in
    v/word | haproxy/*) keep "entry_$1" "$2" ;;
    [ius]*/text | response/text | thisUpdate/text | nextUpdate/text | end/text) keep "entry_$1" "$2" ;;
  esac
}

# read_entry ID: sets entry_state and, where there is one, its response. Other fields are the function's own affair.
read_entry() {
  recall text "$1"
  json=$value entry_fields=' ' fault='no flat JSON'
  entry_v='' entry_id='' entry_state='' entry_response='' entry_sha256='' entry_thisUpdate='' entry_end='' entry_haproxy=''
  take_members '' || return 1
  take_space
  [ -z "$json" ] || return 1
  fault="version '$entry_v', state '$entry_state' of '$entry_id'"
  [ "$entry_v/$entry_id" = "1/$1" ] || return 1
  case $entry_state in
    none | withdrawn) return 0 ;;
    staple) ;;
    *) return 1 ;;
  esac
  fault='a state staple that lacks fields or holds others'
  case $entry_fields in
    *' haproxy '*) ;;
    *) return 1 ;;
  esac
  case $entry_sha256/$entry_thisUpdate/$entry_end in
    *[!0-9a-f]*/*/*) return 1 ;;
    */????-??-??T??:??:??*Z/????-??-??T??:??:??*Z) ;;
    *) return 1 ;;
  esac
  case $entry_thisUpdate$entry_end$entry_response in
    *[!A-Za-z0-9+/=:.-]*) return 1 ;;
  esac
}

# unpack ID: writes the response to its file and holds it to its hash.
unpack() {
  fault='a response that is no base64'
  printf %s "$entry_response" | base64 -d >"$work/$1.der" 2>/dev/null || return 1
  digest=$(sha256sum "$work/$1.der")
  digest=${digest%% *}
  fault="a response of SHA-256 $digest, which calls itself $entry_sha256"
  [ "$digest" = "$entry_sha256" ]
}

# The store may be a moment behind the order: it is asked again before the two count as different. After that the store
# goes before the order, which may have been long under way.
fetch_told() {
  looks=0
  while :; do
    fetch_entries
    looks=$((looks + 1)) behind=
    for id in $ids; do
      recall told "$id"
      [ "$value" = all ] || as_told "$id" "$value" || behind=yes
    done
    if [ -z "$behind" ] || [ "$looks" -ge 3 ]; then break; fi
    sleep 1
  done
  unset access_key secret_key session_token metadata_token
}

# as_told ID TOLD: whether the store holds what the order says.
as_told() {
  read_entry "$1" || return 1
  case $2/$entry_state in
    withdrawn/withdrawn | withdrawn/none) ;;
    "$entry_sha256/staple") ;;
    *) return 1 ;;
  esac
}

# ---- What a response says

# read_response FILE SERIAL: sets $printed (as openssl prints it, empty where it does not) and, of its status for that
# serial number, $found_hash, $found_name, $found_key, $found_status, $found_this, $found_next and all of them as $facts.
read_response() {
  printed=$(openssl ocsp -respin "$1" -noverify -resp_text 2>/dev/null </dev/null) || printed=''
  [ -n "$printed" ] || return 1
  pick_status "$printed" "$2"
}

pick_status() {
  hash='' name='' key='' match=no
  found_hash='' found_name='' found_key='' found_status='' found_this='' found_next=''
  wanted_serial=$2
  IFS=$LF
  # shellcheck disable=SC2086
  set -- $1
  unset IFS
  for line; do
    line=${line#"${line%%[! ]*}"}
    case $line in
      'Hash Algorithm: '*) hash=${line#*: } match=no ;;
      'Issuer Name Hash: '*) name=${line#*: } ;;
      'Issuer Key Hash: '*) key=${line#*: } ;;
      "Serial Number: $wanted_serial") [ -n "$found_status" ] || match=yes found_hash=$hash found_name=$name found_key=$key ;;
      'Cert Status: '*) [ "$match" = no ] || found_status=${line#*: } ;;
      'This Update: '*) [ "$match" = no ] || found_this=${line#*: } ;;
      'Next Update: '*) [ "$match" = no ] || found_next=${line#*: } ;;
      'Signature Algorithm: '*) break ;;
    esac
  done
  facts="$found_hash|$found_name|$found_key|$found_status|$found_this|$found_next"
  [ -n "$found_this" ]
}

# seconds_of TIME...: sets $seconds to as many numbers, seconds since 1970.
seconds_of() {
  seconds=$(printf '%s\n' "$@" | date -u -f - +%s 2>/dev/null) || return 1
  # shellcheck disable=SC2116,SC2086 # one line
  seconds=$(echo $seconds)
}

# names_certificate ID CERTIFICATE RESPONSE: whether the status just read is of this certificate and its issuer.
names_certificate() {
  recall leaf "$1"
  case $found_hash in
    sha1 | sha256 | sha384 | sha512) ;;
    *) return 1 ;;
  esac
  if find_issuer "$2"; then
    # Its exit status is about the times too, which are judged elsewhere.
    same=$(openssl ocsp -respin "$3" -noverify -issuer "$work/issuer.pem" "-$found_hash" -cert "$2" 2>/dev/null </dev/null) || :
    case $same in
      "$2: $found_status"* | "$2: WARNING: Status times invalid.$LF"*"$found_status$LF"*) return 0 ;;
    esac
    return 1
  fi
  names_issuer
}

# find_issuer CERTIFICATE: writes the certificate of its issuer to issuer.pem if the file, or HAProxy's .issuer, has it.
find_issuer() {
  set -- -certfile "$1" "$1.issuer"
  if [ -r "$3" ]; then set -- "$1" "$2" -certfile "$3"; else set -- "$1" "$2"; fi
  chain=$(openssl crl2pkcs7 -nocrl "$@" 2>/dev/null </dev/null | openssl pkcs7 -print_certs 2>/dev/null) || return 1
  issuer='' block='' owner_of_block=''
  while [ -n "$chain" ]; do
    line=${chain%%"$LF"*}
    case $chain in
      *"$LF"*) chain=${chain#*"$LF"} ;;
      *) chain= ;;
    esac
    case $line in
      subject=*) owner_of_block=${line#*=} ;;
      issuer=*) [ -n "$issuer" ] || issuer=${line#*=} ;;
      -----BEGIN*) block=$line$LF ;;
      -----END*)
        if [ "$owner_of_block" = "$issuer" ]; then
          printf '%s%s\n' "$block" "$line" >"$work/issuer.pem"
          return 0
        fi
        ;;
      *) block=$block$line$LF ;;
    esac
  done
  return 1
}

# Where the issuer's certificate is not at hand, the hash of its name is: it stands in the certificate itself, the second
# sequence after the serial number.
names_issuer() {
  printf '%s\n' "$value" >"$work/leaf.pem"
  structure=$(openssl asn1parse -in "$work/leaf.pem" 2>/dev/null) || return 1
  structure=${structure#*:d=2 *: INTEGER*:d=2 *: SEQUENCE}
  structure=${structure#*"$LF"}
  offset=${structure%%:d=2 *}
  openssl asn1parse -in "$work/leaf.pem" -strparse "${offset##* }" -noout -out "$work/issuer.name" 2>/dev/null || return 1
  name=$(openssl dgst "-$found_hash" -r "$work/issuer.name" | tr a-f A-F) || return 1
  [ "${name%% *}" = "$found_name" ]
}

# ---- What is wanted

# Decides for each named certificate: want_ID becomes staple, absent, or keep (leave what there is).
judge_entries() {
  for id in $ids; do
    keep "want_$id" keep
    recall told "$id"
    told=$value
    recall text "$id"
    if [ -n "$value" ]; then
      judge_entry "$id"
    elif [ "$told" != all ] && [ "$told" != withdrawn ]; then
      object staple-not-stored "wanted $conf_STORE/$id, Parameter Store has none"
    elif [ "$told" = withdrawn ]; then
      keep "want_$id" absent
    fi
  done
}

judge_entry() {
  if ! read_entry "$1"; then
    object staple-malformed "wanted an entry of version 1 in $conf_STORE/$1, found $fault"
  elif [ "$entry_state" != staple ]; then
    keep "want_$1" absent
  elif ! unpack "$1"; then
    object staple-malformed "wanted a response in $conf_STORE/$1, found $fault"
  else
    judge_response "$1"
  fi
}

# certificate_of ID: sets $certificate to a file that has it.
certificate_of() {
  certificate=${places#*"$1 "}
  certificate=${certificate%% *}
}

judge_response() {
  certificate_of "$1"
  recall serial "$1"
  own_serial=$value
  if read_response "$work/$1.der" "$own_serial" && names_certificate "$1" "$certificate" "$work/$1.der"; then
    judge_time "$1"
  elif [ -z "$printed" ]; then
    object staple-malformed "wanted an OCSP response in $conf_STORE/$1, found none that openssl reads"
  else
    object staple-wrong-certificate "wanted a response for $certificate (serial $own_serial), $conf_STORE/$1 holds one for another"
  fi
}

# Five minutes of skew are what OpenSSL and every server allow.
judge_time() {
  if ! seconds_of "$found_this" "${found_next:-$entry_end}" "$entry_end" "$entry_thisUpdate"; then
    object staple-malformed "wanted times in $conf_STORE/$1, found some that are none"
    return 0
  fi
  # shellcheck disable=SC2086
  set -- "$1" $seconds
  now_seconds=$(date -u +%s)
  last=$4
  [ "$3" -gt "$last" ] || last=$3
  least=0
  [ "$server" != haproxy ] || least=300
  if [ "$2" != "$5" ]; then
    object staple-malformed "wanted thisUpdate $found_this in $conf_STORE/$1, found $entry_thisUpdate"
  elif [ "$2" -gt $((now_seconds + 300)) ]; then
    object clock-skew "the clock here says $(date -u), the response of $certificate begins $found_this"
  elif [ $((last - now_seconds)) -le "$least" ]; then
    [ "$last" -gt "$now_seconds" ] || keep "ended_$1" "$digest"
    object staple-expired "wanted a response for $certificate with more than $least s left, its end is $entry_end"
  elif [ "$server" = haproxy ] && [ "$entry_haproxy" != null ]; then
    object staple-refused "HAProxy would not take the response of $certificate: $entry_haproxy"
  else
    accept "$1" "$2"
  fi
}

accept() {
  keep "want_$1" staple
  keep "this_$1" "$2"
  keep "digest_$1" "$digest"
  keep "printed_$1" "$printed"
  keep "facts_$1" "$facts"
}

# ---- What is in place

# Goes through $places and sets what is to be put in place ($files) and to go ($gone). Never an older response for a newer.
compare() {
  changes=''
  IFS=$LF
  for place in $places; do
    unset IFS
    # shellcheck disable=SC2086
    compare_place $place
    IFS=$LF
  done
  unset IFS
}

# compare_place ID CERTIFICATE STAPLE
compare_place() {
  forget_leftovers "$3" "$3.conf"
  read_installed "$1" "$3"
  recall want "$1"
  want=${value:-keep}
  if [ "$want" = staple ]; then
    recall digest "$1"
    digest=$value
    recall this "$1"
    recall_this=$value
    recall told "$1"
    if [ -n "$installed_this" ] && [ "$recall_this" -lt "$installed_this" ]; then
      object staple-mismatch "the store holds an older response for $2 than $3, which is of $installed_text"
      want=keep
      keep "want_$1" keep
    elif differs_from_order "$value" "$digest"; then
      object staple-mismatch "told $value for $2, the store holds $digest"
      want=keep
      keep "want_$1" keep
    fi
  fi
  case $want in
    staple) compare_staple "$@" ;;
    absent) withdraw "$@" ;;
    keep)
      if [ "$overdue" = yes ]; then
        note "$3 has come to its end"
        withdraw "$@"
      elif [ -n "$installed_this" ]; then
        held=$((held + 1))
      fi
      ;;
  esac
}

# A run that was killed may have left temporary files.
forget_leftovers() {
  for file; do
    beside "$file" new
    leftover=$beside
    beside "$file" old
    [ ! -e "$leftover" ] || remove "$leftover"
    [ ! -e "$beside" ] || remove "$beside"
  done
}

# differs_from_order TOLD DIGEST: a store that has gone on since the order is fine; that it has, and not stayed behind,
# shows beside what is in place.
differs_from_order() {
  case $1 in
    all | "$2") return 1 ;;
    withdrawn | "$installed_digest") ;;
    *) [ -n "$installed_this" ] && [ "$recall_this" -gt "$installed_this" ] || return 0 ;;
  esac
  note "told $1, the store holds $2 since"
  return 1
}

# read_installed ID FILE: sets $installed_this (seconds, or nothing), $installed_digest and $overdue.
read_installed() {
  installed_this='' installed_digest='' installed_text='' overdue=no
  [ -s "$2" ] || return 0
  recall serial "$1"
  # The file of a certificate that was renewed since is of another serial number.
  read_response "$2" "$value" || return 0
  seconds_of "$found_this" "${found_next:-now + 1 day}" || return 0
  installed_this=${seconds% *} installed_text=$found_this
  [ "${seconds#* }" -gt "$(date -u +%s)" ] || overdue=yes
  installed_digest=$(sha256sum "$2")
  installed_digest=${installed_digest%% *}
  # The store may name an earlier end than the response does, or one where that has none.
  recall ended "$1"
  [ "$installed_digest" != "$value" ] || overdue=yes
}

compare_staple() {
  held=$((held + 1))
  if [ "$digest" = "$installed_digest" ]; then
    [ "$server" != nginx ] || [ -e "$3.conf" ] || files="$files $3.conf"
    return 0
  fi
  if [ "$server" = haproxy ] && [ ! -e "$3" ] && ! find_issuer "$2"; then
    object staple-refused "$2 lacks its issuer: HAProxy does not start when $3 is beside it"
    keep "want_$1" keep
    held=$((held - 1))
    return 0
  fi
  changes="$changes $1" installed=$((installed + 1))
  files="$files $3"
  [ "$server" != nginx ] || files="$files $3.conf"
}

# The file that names the response goes first.
withdraw() {
  keep "want_$1" absent
  case $server in
    haproxy) set -- "$1" "$3" ;;
    nginx) set -- "$1" "$3.conf" "$3" ;;
  esac
  id=$1
  shift
  for file; do
    [ -e "$file" ] || continue
    gone="$gone $file"
    case " $changes " in
      *" $id "*) ;;
      *) changes="$changes $id" withdrawn=$((withdrawn + 1)) ;;
    esac
  done
}

# ---- Files

write_files() {
  for file in $files; do make_directory "${file%/*}"; done
  stage_files
  for file in $files; do
    case $server/$file in
      nginx/*.conf) write_new "$file" printf 'ssl_stapling on;\nssl_stapling_file %s;\n' "${file%.conf}" ;;
      *)
        response_of "$file"
        write_new "$file" cat "$work/$id.der"
        ;;
    esac
  done
  put_in_place 'the staples'
}

# response_of FILE: sets $id to the certificate whose staple the file is.
response_of() {
  id=${places%%" $1$LF"*}
  id=${id##*"$LF"}
  id=${id%% *}
}

# ---- HAProxy

# certificate_key ID: sets $certificate_key to the CertID in DER, by which HAProxy knows a response (RFC 6960 4.1.1).
certificate_key() {
  recall serial "$1"
  case $value in
    [89A-F]*) value=00$value ;;
  esac
  octets=$((${#value} / 2))
  certificate_key=$(printf '30%02x300906052b0e03021a05000414%s0414%s02%02x%s' \
    $((57 + octets)) "$found_name" "$found_key" "$octets" "$value")
}

# haproxy_holds ID: sets $holds to yes, no, or unknown for a HAProxy before 2.5, which cannot show it.
haproxy_holds() {
  recall facts "$1"
  wanted_facts=$value
  found_name=${value#*|}
  found_key=${found_name#*|}
  found_name=${found_name%%|*} found_key=${found_key%%|*}
  certificate_key "$1"
  ask "show ssl ocsp-response $certificate_key"
  holds=no
  recall serial "$1"
  case $response in
    *'Permission denied'*) not_admin 'permission denied' ;;
    *'Unknown command'*) holds=unknown ;;
    *) if pick_status "$response" "$value" && [ "$facts" = "$wanted_facts" ]; then holds=yes; fi ;;
  esac
}

# Sets $missing to the certificates whose staple HAProxy does not hold.
look_into_haproxy() {
  missing=
  want_socket
  ask 'show info'
  take_haproxy_version
  for id in $ids; do
    recall want "$id"
    [ "$value" = staple ] || continue
    haproxy_holds "$id"
    [ "$holds" != no ] || missing="$missing $id"
  done
}

load_haproxy() {
  if sets_staples_safely; then
    push_staples
    forget_withdrawn
  else
    reload_staples
  fi
}

push_staples() {
  for id in $missing $changes; do
    recall want "$id"
    case $value/" $pushed " in
      absent/* | */*" $id "*) continue ;;
    esac
    pushed="$pushed $id"
    certificate_of "$id"
    push "$id" "$certificate" "$work/$id.der"
    [ "$pushed_well" = yes ] || continue
    worked=yes
    haproxy_holds "$id"
    [ "$holds" != no ] || unexpected "the response of $certificate"
  done
}

# A HAProxy that is not given a staple at run time reads it from its file, beside the certificate.
reload_staples() {
  loads=
  for id in $missing $changes; do
    recall want "$id"
    case $value/" $loads " in
      staple/*" $id "*) continue ;;
      staple/*) ;;
      *) continue ;;
    esac
    certificate_of "$id"
    ! is_run "$id" "$certificate" || loads="$loads $id"
  done
  if [ -z "$loads" ]; then
    forget_withdrawn
    return 0
  fi
  [ -n "$conf_HAPROXY_RELOAD" ] || cannot_reload
  reload_haproxy
  be_patient
  for id in $loads; do
    certificate_of "$id"
    while :; do
      haproxy_holds "$id"
      [ "$holds" = no ] || break
      wait_or_fail staple-refused "HAProxy was reloaded and does not hold the response of $certificate: its log says why"
    done
  done
}

cannot_reload() {
  commit
  fail reload-failed "HAProxy $server_version may show memory to clients when it is given a staple at run time, HAPROXY_RELOAD is empty: \
its next start or reload takes the staples"
}

# is_run ID CERTIFICATE: whether HAProxy runs the certificate that is in the file now.
is_run() {
  recall serial "$1"
  ask "show ssl cert $2"
  case $response in *"${LF}Serial: $value$LF"* | *'Unknown command'*) return 0 ;; esac
  note "HAProxy runs without the certificate that is in $2 now; $2.ocsp is there for its next start"
  return 1
}

# push ID CERTIFICATE RESPONSE: sets $pushed_well to yes, no, or idle where HAProxy runs without this certificate.
push() {
  pushed_well=yes
  payload=$(base64 -w64 "$3")
  ask "set ssl ocsp-response <<$LF$payload$LF"
  case $response in
    'OCSP Response updated!'*) ;;
    *'Permission denied'*) not_admin 'permission denied' ;;
    *'does not match any certificate'*) exchange "$@" ;;
    *) refuse_staple "$@" ;;
  esac
}

# A certificate that had no .ocsp file when it was loaded has no room for a response: it is given both anew, from its own
# memory, in a transaction that touches no key.
exchange() {
  if ! is_run "$1" "$2"; then
    pushed_well=idle
    return 0
  fi
  ask "set ssl cert $2.ocsp <<$LF$payload$LF"
  case $response in
    *'Transaction created'*) ask "commit ssl cert $2" ;;
    *'Permission denied'*) not_admin 'permission denied' ;;
    *) ;;
  esac
  case $response in
    *Success!*) ;;
    *)
      commit_response=$response
      ask "abort ssl cert $2"
      response="$commit_response (it had no $2.ocsp when it started: reload it, or restart it with one)"
      refuse_staple "$@"
      ;;
  esac
}

# The others go on; this one has what it had.
refuse_staple() {
  pushed_well=no
  object staple-refused "HAProxy does not take the response of $2: $response"
  keep "want_$1" keep
  IFS=$LF
  for place in $places; do
    case $place in
      "$1 "*) restore_one "${place##* }" ;;
    esac
  done
  unset IFS
}

restore_one() {
  case " $files " in
    *" $1 "*) ;;
    *) return 0 ;;
  esac
  installed=$((installed - 1))
  beside "$1" old
  if [ -e "$beside" ]; then
    mv -f "$beside" "$1"
  else
    remove "$1"
    held=$((held - 1))
  fi
}

# HAProxy cannot be told to forget a response; by itself it stops five minutes before nextUpdate.
forget_withdrawn() {
  [ -n "$conf_HAPROXY_RELOAD" ] || return 0
  [ -n "$gone" ] || [ "$problem" = verify-still-stapled ] || return 0
  reload_haproxy
}

# Not while a ring is on its way: the new worker would begin with the keys before it.
reload_haproxy() {
  take_turn haproxy "$conf_HAPROXY_SOCKET"
  undo_reload=yes worked=yes
  run "$conf_HAPROXY_RELOAD" || fail reload-failed "$conf_HAPROXY_RELOAD: $(last_alert)"
}

# ---- Handshakes

# handshake LISTENER: sets $saw, $outcome and $alert.
handshake() {
  split_listener "$1"
  outcome=mute alert='' asked=no
  # shellcheck disable=SC2086
  saw=$(
    exec 3>&- 8>&- 9>&-
    timeout 4 openssl s_client -no-CAfile -no-CApath -status -prexit $connect 2>&1 </dev/null
  ) || :
  IFS=$LF
  for line in $saw; do read_client_line "$line"; done
  unset IFS
  # TLS 1.3 sends certificate and staple before it misses the client's certificate.
  case $saw/$asked in
    *"Server certificate$LF"*) outcome=certificates ;;
    */yes) outcome=certificate ;;
  esac
}

# Sets $problem and $problem_detail to what the last handshake with $listener shows, or to nothing.
judge() {
  problem='' problem_detail="$listener: wanted a certificate"
  case $outcome in
    certificates) judge_staple ;;
    *) judge_silence ;;
  esac
}

judge_staple() {
  presented=${saw#*"Server certificate$LF"}
  presented="${presented%%"-----END CERTIFICATE-----"*}-----END CERTIFICATE-----"
  for id in $ids; do
    recall leaf "$id"
    [ "$value" = "$presented" ] || continue
    certificate_of "$id"
    problem_detail="$listener: wanted the delivered response for $certificate"
    sightings_of="$sightings_of $id "
    recall want "$id"
    case $value in
      staple) judge_wanted "$id" ;;
      absent) judge_absent "$id" ;;
    esac
  done
}

judge_wanted() {
  recall printed "$1"
  case $saw in
    *"$value"*) ;;
    *'OCSP response: no response sent'*) problem=verify-no-staple problem_detail="$problem_detail, got none" ;;
    *)
      recall serial "$1"
      pick_status "$saw" "$value" || found_this='another certificate'
      problem=verify-wrong-staple problem_detail="$problem_detail, got one of $found_this"
      ;;
  esac
}

judge_absent() {
  case $saw in
    *'OCSP response: no response sent'*) return 0 ;;
  esac
  recall serial "$1"
  pick_status "$saw" "$value" || found_next='another certificate'
  problem=verify-still-stapled problem_detail="$listener: wanted no response for $certificate, got one until $found_next"
}

# Looks at every listener. What a load is there to mend gives way to any other problem.
look_at_listeners() {
  mendable='' mendable_detail='' sightings_of=''
  for listener in $listeners; do
    handshake "$listener"
    judge
    case $problem in
      '') ;;
      verify-still-stapled) cannot_forget || mendable=$problem mendable_detail=$problem_detail ;;
      verify-no-staple | verify-wrong-staple) mendable=$problem mendable_detail=$problem_detail ;;
      *) return 0 ;;
    esac
  done
  problem=$mendable problem_detail=$mendable_detail
}

# Without a command that reloads it, HAProxy keeps a withdrawn response: said, but nothing that waiting mends.
cannot_forget() {
  [ "$server/$conf_HAPROXY_RELOAD" = haproxy/ ] || return 1
  unforgotten="$problem_detail; HAProxy drops it five minutes before, or at a reload (HAPROXY_RELOAD)"
}

# A certificate that no listener presents was put in place, which is not the same as proved.
say_unseen() {
  for id in $ids; do
    recall want "$id"
    case $value/$sightings_of in
      keep/* | */*" $id "*) continue ;;
    esac
    certificate_of "$id"
    note "no listener of $listeners presents the certificate in $certificate"
    verified=none
  done
}

# ---- Applying

undo() {
  # shellcheck disable=SC2086
  [ -z "$stage" ] || remove $stage
  if [ -n "$stay" ]; then return 0; fi
  installed=0 withdrawn=0 held=0
  [ -z "$undo_files" ] || restore_files
  for id in $pushed; do
    certificate_of "$id"
    [ ! -s "$certificate.ocsp" ] || push_back "$certificate.ocsp"
  done
  # Not by a clock that AWS itself calls wrong.
  [ "$error" = clock-skew ] || drop_overdue
  if [ -n "$undo_reload" ]; then
    case $server in
      nginx) run "$conf_NGINX_RELOAD" || detail="$detail; reloading the old staples failed" ;;
      haproxy) run "$conf_HAPROXY_RELOAD" || detail="$detail; reloading the old staples failed" ;;
    esac
  fi
}

push_back() {
  (ask "set ssl ocsp-response <<$LF$(base64 -w64 "$1")$LF") || detail="$detail; pushing $1 back failed"
}

# nginx staples a file for ever, so what has come to its end goes, even if nothing else succeeds.
drop_overdue() {
  IFS=$LF
  for place in $places; do
    unset IFS
    # shellcheck disable=SC2086
    drop_if_overdue $place
    IFS=$LF
  done
  unset IFS
}

drop_if_overdue() {
  read_installed "$1" "$3"
  [ -z "$installed_this" ] || held=$((held + 1))
  [ "$overdue" = yes ] || return 0
  held=$((held - 1))
  note "$3 has come to its end"
  remove "$3.conf" "$3"
  withdrawn=$((withdrawn + 1))
  if [ "$server/$boot" = nginx/no ]; then undo_reload=yes; fi
}

commit() {
  stay=yes
  forget_old_files
  clear_work
}

# What a run unpacks lies here, in files alone: a link or another directory in its place is not ours.
clear_work() {
  set +f
  set -- "$work"/*
  set -f
  remove "$@" || fail write-failed "cannot empty $work"
}

# server_not_running WHY: nothing runs, so the files may take what the next start needs.
server_not_running() {
  [ -z "$files$gone" ] || [ -n "$undo_files" ] || write_files
  commit
  fail server-not-running "$1, and nobody listens on $listeners; the staples are in place for the next start"
}

apply_to_running_server() {
  missing='' worked=''
  [ "$server" = nginx ] || look_into_haproxy
  look_at_listeners
  case $problem in
    '' | verify-no-staple | verify-wrong-staple | verify-still-stapled) ;;
    # No staple can mend these, so nothing is touched and nothing is reloaded.
    *)
      ! nobody_listens || server_not_running "$server does not answer"
      fail "$problem" "$problem_detail"
      ;;
  esac
  if [ -z "$files$gone$missing$problem" ]; then
    verified=handshake
    return 0
  fi
  [ -z "$files$gone" ] || write_files
  [ "$server" != haproxy ] || [ -n "$missing$changes" ] || missing=$ids
  unforgotten=
  [ "$server" = haproxy ] || worked=yes
  "load_$server"
  verify
  # A certificate that HAProxy does not run is no work done, so that a repeat finds nothing to do.
  [ -z "$files$gone$worked" ] || did=applied
}

apply() {
  compare
  did=unchanged
  if [ "$boot" = no ]; then
    apply_to_running_server
    say_unseen
  elif [ -n "$files$gone" ]; then
    write_files
    did=applied
  fi
  commit
  [ -z "$unforgotten" ] || object verify-still-stapled "$unforgotten"
  [ -z "$trouble" ] || fail "$trouble" "$trouble_detail"
  result=$did
}

# ---- Beginning

main() {
  forget_exports
  program=apply-staple.sh boot_patience=3 scope=${TICKETRING_SET:-} order=${SSM_Staples:-all}
  parse_arguments "$@"
  check_order
  set=$scope installed=0 withdrawn=0 held=0 trouble='' trouble_detail='' unforgotten='' pushed='' places='' ids=''
  # HAProxy takes every file of a directory for a certificate but those that begin with a dot.
  aside=. mask=0333
  begin base64 cat date sha256sum tr
  load_settings "$set.staples"
  want_path STORE "$conf_STORE"
  choose_server HAPROXY_CERTS NGINX_STAPLES
  make_directory "$run_dir"
  lock
  work=$run_dir/work
  { [ -d "$work" ] && [ ! -L "$work" ]; } || mkdir "$work" || fail write-failed "cannot make $work"
  clear_work
  find_places
  if [ -z "$ids" ]; then
    result=unchanged
    return 0
  fi
  choose_client
  find_credentials
  fetch_told
  judge_entries
  apply
}

main "$@"
}
