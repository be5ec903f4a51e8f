#!/bin/sh
# The whole loop on an embedded database, in a folder that is gone afterwards. `make demo` runs it.
# Every exit code is checked: the first that isn't the expected one ends the demo with an error.
set -eu

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

# run EXPECTED COMMAND...: print the command, run it, and check its exit code.
run() {
    expected=$1
    shift
    line=
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9._/:=@-]*) line="$line '$word'" ;;
        *) line="$line $word" ;;
        esac
    done
    printf '\n$%s\n' "$line"
    code=0
    "$@" 2>&1 || code=$?
    if [ "$code" -ne "$expected" ]; then
        printf '\ndemo failed: expected exit %s, got %s from:%s\n' "$expected" "$code" "$line" >&2
        exit 1
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
        printf '\ndemo failed: %s does not say "%s"\n' "$*" "$wanted" >&2
        exit 1
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

title "A repository of sample workflows, and an embedded database"
run 0 gitsync init --example
run 0 gitsync db init
run 0 gitsync push
run 0 gitsync status

title "Somebody edits a workflow in the product"
edit_in_product tickets.greet-client "Greet the client kindly"
run 0 gitsync status
expect database-ahead gitsync status
run 0 gitsync diff --words
run 2 gitsync status --exit-code
run 0 gitsync pull --commit -m "Take over the new name"
run 0 git log --oneline --stat
expect "0 apart" gitsync status

title "Somebody edits a workflow in git"
