# lib.sh: what the scripts here share; sourced by bash.

# Copies the checkout $1 to the new directory $2: what git tracks or would,
# without what a build left behind. Works for a tree without git as well.
steward_copy_tree() {
    mkdir -p "$2"
    if git -c safe.directory='*' -C "$1" rev-parse --is-inside-work-tree > /dev/null 2>&1; then
        (cd "$1" && git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
            while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
            tar --create --null --files-from=- --file=-) | tar --extract --no-same-owner --directory="$2"
    else
        (cd "$1" && tar --create --exclude=.git --exclude='*.o' --exclude='*.so' --exclude='*.bc' --file=- .) |
            tar --extract --no-same-owner --directory="$2"
    fi
}

# Copies the real input that lies beside the checkout $1, if there is any, to
# lie beside the copy $2 as well: the tests look for it in ../shared/data.
steward_copy_data() {
    if [ -d "$1/../shared/data" ]; then
        mkdir -p "$2/../shared"
        cp -RL --no-preserve=ownership "$1/../shared/data" "$2/../shared/"
        chmod -R u+w "$2/../shared"
    fi
}

# The last "N passed, N failed" in file $1, as "N N"; nothing without one. It
# need not be the last line: make adds one of its own when a goal fails.
steward_totals() {
    sed -n 's/^\([0-9]\+\) passed, \([0-9]\+\) failed$/\1 \2/p' "$1" | tail -n 1
}
