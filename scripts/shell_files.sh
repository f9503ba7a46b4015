#!/bin/sh
# Lists the shell files of the repository: by name, or by their first line.
cd "$(dirname "$0")/.." || exit 1
git ls-files --cached --others --exclude-standard | while read -r file; do
    [ -f "$file" ] || continue
    case $file in
        *.sh | *-sh-functions) echo "$file" ;;
        *.*) ;;
        *) head -n 1 "$file" | grep -aqE '^#!.*[/ ](ba|da)?sh( |$)' && echo "$file" ;;
    esac
done
true
