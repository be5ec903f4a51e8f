#!/bin/sh
# The whole loop on an embedded database, in a folder that is gone afterwards. `make demo` runs it.
# Every exit code is checked: the first that isn't the expected one ends the demo with an error.
set -eu

docs=$(CDPATH="" cd "$(dirname "$0")" && pwd)
demo=$(mktemp -d "${TMPDIR:-/tmp}/gitsync-demo.XXXXXX")
trap 'rm -rf "$demo"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Nothing of yours is read or touched: a HOME of its own, an identity of its own, no settings from outside.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GITSYNC_ENV GITSYNC_DATABASE_URL GITSYNC_TENANT GITSYNC_ACTOR
mkdir "$demo/home" "$demo/workflows-repo"
export HOME="$demo/home" XDG_CONFIG_HOME="$demo/home" GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 NO_COLOR=1
export GIT_AUTHOR_NAME="Ada Demo" GIT_AUTHOR_EMAIL="ada@example.com"
export GIT_COMMITTER_NAME="Ada Demo" GIT_COMMITTER_EMAIL="ada@example.com"
cd "$demo/workflows-repo"

title() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf '\ndemo failed: %s\n' "$*" >&2
    exit 1
}

# run EXPECTED COMMAND...: print the command, run it, and check its exit code.
run() {
    expected=$1
    shift
    line=
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9._/:=@%-]*) line="$line \"$word\"" ;;
        *) line="$line $word" ;;
        esac
    done
    printf '\n$%s\n' "$line"
    code=0
    "$@" </dev/null 2>&1 || code=$?
    if [ "$code" -ne "$expected" ]; then
        fail "expected exit $expected, got $code from:$line"
    fi
    if [ "$code" -ne 0 ]; then
        printf '(exit %s, as it should be)\n' "$code"
    fi
}

# expect TEXT COMMAND...: the command's output must hold the text.
expect() {
    wanted=$1
    shift
    if ! "$@" 2>&1 | grep -qF -- "$wanted"; then
        fail "$* does not say '$wanted'"
    fi
}

# edit_in_product KEY NAME: what a person does in the product's editor, done to the row itself.
edit_in_product() {
    printf '\n(in the product: %s is renamed to "%s", its draft saved)\n' "$1" "$2"
    python - "$1" "$2" <<'PYTHON'
import json
import sqlite3
import sys

key, name = sys.argv[1:]
with sqlite3.connect("gitsync.db") as database:
    (draft,) = database.execute("SELECT draft_definition FROM workflow_definitions WHERE key = ?", (key,)).fetchone()
    edited = json.loads(draft) | {"name": name}
    changed = database.execute(
        "UPDATE workflow_definitions SET name = ?, draft_definition = ?, draft_version = draft_version + 1 WHERE key = ?",
        (name, json.dumps(edited), key),
    ).rowcount
database.close()
sys.exit(changed != 1)
PYTHON
}

# edit_in_git KEY DESCRIPTION: an edit of the file, as in any text editor; not committed yet.
edit_in_git() {
    printf '\n(in a text editor: the description in workflows/%s.json becomes "%s")\n' "$1" "$2"
    python - "$1" "$2" <<'PYTHON'
import json
import pathlib
import sys

key, description = sys.argv[1:]
file = pathlib.Path("workflows", f"{key}.json")
document = json.loads(file.read_text(encoding="utf-8"))
document["metadata"]["description"] = description
file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
PYTHON
}

# workflow_id KEY: the id that the database has for it.
workflow_id() {
    python - "$1" <<'PYTHON'
import sqlite3
import sys

database = sqlite3.connect("gitsync.db")
print(*database.execute("SELECT workflow_id FROM workflow_definitions WHERE key = ?", sys.argv[1:]).fetchone())
database.close()
PYTHON
}

title "Sample workflows in git, and an embedded database"
run 0 gitsync init --example
run 0 gitsync db init
run 0 gitsync push
run 0 gitsync status

title "Somebody edits a workflow in the product"
edit_in_product reports.daily-digest "Daily digest for everybody"
run 0 gitsync status
run 0 gitsync diff --words
run 0 gitsync pull --commit -m "Take over the new name"
run 0 git log --format=%B --max-count=1 --stat
expect "8 in step" gitsync status

title "Somebody edits a workflow in git"
edit_in_git ticket-triage "Sorts new tickets, and asks a person about the rest."
run 0 git commit --quiet --all --message "Describe the triage"
run 0 gitsync plan --update --in-place
run 3 gitsync push
kept=$(workflow_id ticket-triage)
run 0 gitsync push --update --in-place
[ "$(workflow_id ticket-triage)" = "$kept" ] || fail "--in-place changed the workflow's id"
expect "8 in step" gitsync status

title "Both sides edit the same workflow"
edit_in_product onboarding.send-welcome "Send a warm welcome"
edit_in_git onboarding.send-welcome "Called by the onboarding of clients."
run 0 git commit --quiet --all --message "Say who calls it"
run 3 gitsync push --update
run 0 gitsync diff onboarding.send-welcome
run 3 gitsync pull
run 0 gitsync pull --force onboarding.send-welcome --commit -m "The product's version wins"
expect "8 in step" gitsync status

title "Overwriting without --in-place gives a new id"
edit_in_git ticket-triage "Sorts new tickets."
run 0 git commit --quiet --all --message "Say it shorter"
run 6 gitsync push --update
run 0 gitsync push --update --yes
[ "$(workflow_id ticket-triage)" != "$kept" ] || fail "the workflow was not created again"
expect "8 in step" gitsync status

title "A workflow arrives from another instance"
cp "$docs/bundle.json" ..
run 0 gitsync import ../bundle.json
run 3 gitsync import ../bundle.json
run 0 gitsync pull --commit -m "Take over the weekly digest"

title "And at the end"
run 0 gitsync status --exit-code
expect "9 in step" gitsync status
run 0 git log --oneline
[ -z "$(git status --porcelain)" ] || fail "files were left uncommitted"

title "The tests of the workflows"
run 0 gitsync test --coverage
printf '\nDatabase and git hold the same 9 workflows: everything in step\n'
