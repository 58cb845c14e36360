#!/usr/bin/env bash
# A tour of the HTTP API with curl. It starts `callwright demo` for itself, and ends with the status of the
# first step that fails.
#
#   examples/curl/tour.sh                  builds Callwright with Cargo
#   CALLWRIGHT=PATH examples/curl/tour.sh  takes this `callwright`
set -euo pipefail
CALLWRIGHT=${CALLWRIGHT:+$(realpath "$CALLWRIGHT")}
cd "$(dirname "$0")"

for program in curl python3; do
    command -v "$program" >/dev/null || { echo "tour: $program is missing" >&2; exit 69; }
done
if [ -z "$CALLWRIGHT" ]; then
    cargo build --release --quiet --manifest-path ../../Cargo.toml
    CALLWRIGHT=${CARGO_TARGET_DIR:-../../target}/release/callwright
fi

folder=$(mktemp -d)
"$CALLWRIGHT" demo --api 127.0.0.1:0 --keys "$folder/keys.json" >"$folder/log" 2>&1 &
demo=$!
end() {
    kill "$demo" 2>/dev/null || true
    wait "$demo" || true
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM
for _ in $(seq 300); do
    [ ! -e "$folder/keys.json" ] || break
    kill -0 "$demo" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    sleep 0.1
done

# pick PATH: a part of the JSON on standard input, such as items.0.call; nothing where there is none.
pick() {
    python3 -c '
import json, sys
found = json.load(sys.stdin)
for part in sys.argv[1].split("."):
    try:
        found = found[int(part)] if isinstance(found, list) else found[part]
    except (IndexError, KeyError):
        sys.exit(0)
print("" if found is None else found)
' "$1"
}

api=$(pick api <"$folder/keys.json")
tenant=$(pick tenants.0.tenant <"$folder/keys.json")
key=$(pick tenants.0.key <"$folder/keys.json")

# ask WHY METHOD PATH [CURL'S ARGUMENTS]: one step. Its answer is then in $answer.
ask() {
    local why=$1 method=$2 path=$3 status
    shift 3
    printf '\n# %s\n%s %s\n' "$why" "$method" "$path"
    status=$(curl --silent --show-error --output "$folder/answer" --write-out '%{http_code}' \
        --request "$method" --header "Authorization: Bearer $key" "$@" "$api/v1$path")
    answer=$(tr -d '\0' <"$folder/answer" | head -c 20000)
    printf '%s %s\n' "$status" "$(head -c 160 <<<"$answer" | tr -cd '[:print:]')"
    [ "$status" = "${expected:-$status}" ] && { [ -n "${expected:-}" ] || [ "${status:0:1}" = 2 ]; } || {
        echo "tour: this step failed" >&2
        exit 1
    }
}

# await WHY PATH FOUND: the same until the answer has what the command FOUND looks for.
await() {
    local why=$1 path=$2
    for _ in $(seq 120); do
        ask "$why" GET "$path" >"$folder/told"
        # shellcheck disable=SC2086
        [ -z "$($3 <<<"$answer")" ] || break
        sleep 0.5
    done
    cat "$folder/told"
}

# The first call in which two talk.
talking() {
    python3 -c 'import json, sys
print(next((call["call"] for call in json.load(sys.stdin)["calls"] if call["with"]), ""))'
}

# Whether the call is among the records.
recorded() {
    grep --only-matching --max-count 1 --fixed-strings "$call" || true
}

json=(--header "Content-Type: application/json" --data)
own=/tenants/$tenant

ask "Who am I, and what may this key do?" GET /me
ask "Which numbers lead where?" GET "$own/numbers"
ask "A user of the tenant; logging in is your own affair." PUT "$own/users/lea@clinic.example" \
    "${json[@]}" '{"name": "Lea", "role": "agent", "extension": "202"}'
ask "A token for Lea's browser: no key belongs there." POST "$own/tokens" \
    "${json[@]}" '{"user": "lea@clinic.example", "ttl_s": 60}'
token=$(pick token <<<"$answer") minted=$(pick about.id <<<"$answer")
key=$token expected=403 \
    ask "It may no more than Lea may: gateways are not hers." GET "$own/gateways"
ask "It can be taken back before its time." DELETE "$own/tokens/$minted"

ask "An account at a provider is tried out before it is saved." POST "$own/gateway-tests" "${json[@]}" \
    '{"settings": {"server": "sip.provider.example", "username": "acct"}, "password": "secret"}'
ask "Now it is kept; FreeSWITCH learns of it by itself." PUT "$own/gateways/carrier" "${json[@]}" \
    '{"settings": {"server": "sip.provider.example", "username": "acct"}, "password": "secret"}'
ask "How does it stand?" GET "$own/gateways/carrier/state"

await "How do things stand? Wait until somebody talks." "$own/events/standing" talking
call=$(talking <<<"$answer") sequence=$(pick sequence <<<"$answer")
ask "The supervisor at 301 listens in; why is kept for the audit log." POST "$own/calls/$call/monitor" \
    "${json[@]}" '{"begin": {"by": "301", "manner": {"mode": "listen"}, "reason": "a tour"}}'
ask "Both hear the supervisor from now on." POST "$own/calls/$call/monitor" \
    "${json[@]}" '{"change": {"manner": {"mode": "barge"}}}'
ask "The caller waits with music." POST "$own/calls/$call/commands" "${json[@]}" '{"hold": {"on": true}}'
ask "And talks again." POST "$own/calls/$call/commands" "${json[@]}" '{"hold": {"on": false}}'
ask "The call is ended." POST "$own/calls/$call/commands" \
    "${json[@]}" '{"hangup": {"cause": "NORMAL_CLEARING"}}'
ask "What happened since, each event in order and once." GET "$own/events?after=$sequence&limit=20"
await "Its record; records.csv and records.jsonl are all of them." "$own/records?limit=20" recorded
ask "The same by the call's own name." GET "$own/records/$call"
ask "Everything that happened to it, to the millisecond." GET "$own/records/$call/timeline"
expected=404 ask "There is no such call any more." GET "$own/calls/$call"
await "Its recording, once it is encrypted and stored." "$own/recordings?call=$call&state=ready" \
    "pick items.0.id"
recording=$(pick items.0.id <<<"$answer")
expected=206 ask "The first second of its recording, which is encrypted where it lies." \
    GET "$own/recordings/$recording/audio" --header "Range: bytes=0-16043"
ask "Who heard it?" GET "$own/recordings/$recording/trace"

again=$(python3 -c 'import uuid; print(uuid.uuid4())')
connect='{"to": {"extension": "201"}, "then": {"connect": {"extension": "203"}}}'
ask "Click to call: 201 is called, and put through to 203." POST "$own/calls" "${json[@]}" "$connect" \
    --header "Idempotency-Key: $again"
placed=$(pick call <<<"$answer")
ask "Sent once more with the same key it is done once." POST "$own/calls" "${json[@]}" "$connect" \
    --header "Idempotency-Key: $again"
[ "$(pick call <<<"$answer")" = "$placed" ] || { echo "tour: a second call was placed" >&2; exit 1; }
ask "Every change, with the key that made it." GET "$own/audit?limit=5"
printf '\nThe tour is over; the whole API is in %s/v1/openapi.json\n' "$api"
