# Every command of sioctl with an example, for the tests that walk through all of them. A command that is added without
# a row here fails those tests, and so does a row without its command. Loaded after siod.bash.
#
# command | shape | alone | example | refused | before
#   shape    what json is: list and stream an array, object and value an object, of which value prints one member bare
#            in text and tsv; script runs others, which has tests of its own on a terminal
#   alone    the exit code of the example without a daemon
#   example  arguments that are good every time; @…@ is filled in by fill()
#   refused  arguments that are answered with no, and exit code 1; empty = there are none
#   before   what has to be run first each time
# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the tests

COMMANDS='
status            | object | 3 |
wait              | value  | 4 | ready --timeout 0s
room list         | list   | 3 | --business 1
room show         | object | 3 | business_1 | nowhere
room join         | object | 3 | extra@N@ @SOCKET@ | extra nobody
room leave        | object | 3 | extra @SOCKET@ | extra nobody | sioctl room join extra @SOCKET@
socket list       | list   | 3 |
socket show       | object | 3 | @SOCKET@ | nobody
socket kick       | object | 3 | --user 8 | nobody | connect_victim
chat list         | list   | 3 |
chat show         | object | 3 | 1 | 999
chat assign       | object | 3 | @CHAT@ 7 | 999 7
chat unassign     | object | 3 | @CHAT@ | 999 | sioctl chat assign @CHAT@ 7
chat close        | object | 3 | @CHAT@ | 999
chat explain      | list   | 3 | 1 | 999
contact export    | object | 3 | 1 | 9999
contact erase     | object | 3 | @CONTACT@ | 9999
message show      | object | 3 | 1 | 9999
agent list        | list   | 3 |
agent show        | object | 3 | 7 | 999
agent status      | object | 3 | 7 available | 999 away
agent capacity    | object | 3 | 7 500 | 999 5
contact show      | object | 3 | 15551000 | nobody
business list     | list   | 3 |
business show     | object | 3 | 1 | 999
business add      | object | 3 | @N@ --name Shop --phone-number-id 77@N@ | 1 --name again
emit              | object | 3 | happened {"a":"b"} --room business_1 --business 1 |
tail              | stream | 3 | --since 0 --business 1 --count 3 |
webhook list      | list   | 3 | --limit 2
webhook show      | object | 3 | 1 | 999
webhook replay    | stream | 3 | @BODY@ @BODY@ | /nonexistent
webhook sign      | value  | 0 | @BODY@ --secret-file @SECRET@ | /nonexistent --secret-file @SECRET@
webhook verify    | object | 0 | @BODY@ --secret-file @SECRET@ --signature @SIGNATURE@ | @BODY@ --secret-file @SECRET@ --signature sha256=00
webhook export    | stream | 3 | --limit 2 | --id 999
webhook scan      | list   | 0 | @CLEAN@ | @BODY@
webhook quarantine list   | list   | 3 | --reason JSON
webhook quarantine show   | object | 3 | 2 | 999
webhook quarantine replay | list   | 3 | --reason nothing | 2
webhook quarantine drop   | list   | 3 | --reason JSON --limit 1 | 1
store digest      | value  | 3 |
token mint        | value  | 3 | --user 7 --business 1 | --user 7 --business 1 --key-file /nonexistent
token verify      | object | 3 | @TOKEN@ | nonsense
token decode      | object | 0 | @TOKEN@ | nonsense
token revoke      | object | 3 | --jti once@N@ |
token revocations | list   | 3 |
config show       | value  | 3 |
config reload     | list   | 3 |
config check      | object | 0 | -c @CONFIG@ | -c /nonexistent
log level         | value  | 3 | info
store check       | list   | 3 |
store backup      | object | 3 | @BODY@.@N@ | /nonexistent/siod.backup
store migrate     | object | 3 | | --file /nonexistent
audit             | list   | 3 | --limit 3
shell             | script | 0 |
help              | list   | 0 | room
'

# The example of each command as `name|shape|alone|example|refused|before`, without the blanks around.
examples() {
    sed -E '/^$/d; s/ *\| */|/g; s/ +$//' <<<"$COMMANDS"
}

# What has no example, and what is none.
commands_without_example() {
    comm -23 <(sioctl help -o json | jq -r '.[].command' | sort) <(examples | cut -d '|' -f 1 | sort)
}

examples_without_command() {
    comm -13 <(sioctl help -o json | jq -r '.[].command' | sort) <(examples | cut -d '|' -f 1 | sort)
}

# with_a_full_desk: something to show for each command, with names that could break a line or a column.
with_a_full_desk() {
    local i name=$'Tab\there\nand \e[31mthere \\ \xe6\x97\xa5\xe6\x9c\xac a name as long as only customers have'
    start_siod -o assign.policy=manual
    BODY=$BATS_TEST_TMPDIR/body.json SECRET=$SIOD_DIR/app.secret CONFIG=$BATS_TEST_TMPDIR/siod.conf
    CLEAN=$BATS_TEST_TMPDIR/clean.json
    echo '{}' >"$CLEAN"
    TOKEN=$(token 7 1)
    printf 'store { url = "sqlite:%s/other.db" }\n' "$BATS_TEST_TMPDIR" >"$CONFIG"
    text_webhook wamid.0 1555 x | jq -c --arg name "$name" '.entry[0].changes[0].value |=
        (.contacts[0].profile.name = $name | .contacts[0] as $contact | .messages[0] as $message |
            .contacts = [] | .messages = [] | reduce range(60) as $i (.; (.from = "1555\($i + 1000)") as $x |
                .contacts += [$contact | .wa_id = "1555\($i + 1000)"] |
                .messages += [$message | .id += ".\($i)" | .from = "1555\($i + 1000)"]) | del(.from))' >"$BODY"
    sioctl webhook replay "$BODY" 2>/dev/null >"$BATS_TEST_TMPDIR/out"
    SIGNATURE=$(sioctl webhook sign "$BODY" --secret-file "$SECRET")
    for ((i = 0; i < 12; i++)); do
        post_webhook "{\"$i" >"$BATS_TEST_TMPDIR/out"
    done
    agent_connected a --token "$(token 7 1 "\"name\":$(jq -cn --arg name "$name" '$name')")"
    sioctl wait agent/7=online --timeout 20s >/dev/null
    SOCKET=$(sioctl socket list -o json | jq -r '.[0].socketId')
    sioctl room join $'odd\troom\n' "$SOCKET" >/dev/null
    sioctl token revoke --jti "${name:0:40}" >/dev/null
    NUMBER=100 CHAT=10 CONTACT=60
}

# A socket of user 8, to be kicked.
connect_victim() {
    local url="$SIOD_URL/socket.io/?EIO=4&transport=polling" sid
    sid=$(curl -sS "$url" | sed 's/^0//' | jq -r .sid)
    curl -sS -o "$BATS_TEST_TMPDIR/answer" -d "40{\"token\":\"$(token 8 1)\"}" "$url&sid=$sid"
    wait_until victim_is_there
}

victim_is_there() {
    [[ $(sioctl socket list --user 8 -o json) != '[]' ]]
}

# fill TEXT: sets $filled. @N@ and @CHAT@ are fresh each time, the same within TEXT.
fill() {
    local key
    NUMBER=$((NUMBER + 1))
    [[ $1 != *@CHAT@* ]] || CHAT=$((CHAT + 1))
    [[ $1 != *@CONTACT@* ]] || CONTACT=$((CONTACT - 1))
    filled=${1//@N@/$NUMBER}
    for key in SOCKET CONTACT CHAT BODY SECRET SIGNATURE CLEAN TOKEN CONFIG; do
        filled=${filled//@$key@/${!key}}
    done
}
