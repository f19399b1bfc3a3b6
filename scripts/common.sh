# Functions shared by the scripts in this folder: sourced, never run.

say() { printf '\n== %s\n' "$*"; }
loudly() { printf '\n%s\n!! %s\n%s\n' "$(printf '!%.0s' {1..80})" "$*" "$(printf '!%.0s' {1..80})" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# Installs Debian packages; fails if this machine has no apt-get or no root access.
install_packages() {
    command -v apt-get >/dev/null && as_root true 2>/dev/null || return 1
    # RUNLEVEL=1 keeps installed services from being started.
    local install=(as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends "$@")
    "${install[@]}" || { as_root apt-get update -q && "${install[@]}"; }
}

free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 40000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}
