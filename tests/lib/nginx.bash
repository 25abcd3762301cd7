# nginx in front of a test's siod, with TLS and the configuration that siod(8) shows.
# shellcheck shell=bash
# shellcheck disable=SC2034 # NGINX_URL is for the tests

# It is not in everybody's PATH.
nginx_path() {
    PATH=$PATH:/usr/sbin:/usr/local/sbin type -P nginx
}

has_nginx() {
    nginx_path >/dev/null
}

# manual_configuration: the first literal block of the page's section.
manual_configuration() {
    awk '$1 == ".Sh" { here = $0 == ".Sh BEHIND A PROXY" }
        here && $1 == ".Ed" { exit }
        here && inside { print }
        here && $1 == ".Bd" { inside = 1 }' "$ROOT/man/siod.8"
}

# What the page leaves open, by the variables of start_nginx, all files below $NGINX_DIR. One process, so that connections to siod are kept
# in one place.
nginx_configuration() {
    local kind
    echo 'daemon off; master_process off; worker_processes 1;'
    echo "pid $NGINX_DIR/pid; error_log $NGINX_DIR/error.log info; events { }"
    echo "http { access_log $NGINX_DIR/access.log;"
    for kind in client_body proxy fastcgi uwsgi scgi; do
        echo "${kind}_temp_path $NGINX_DIR/$kind;"
    done
    sed -e "s|127\.0\.0\.1:3000|$upstream|" -e "s|listen 443|listen 127.0.0.1:$1|" \
        -e "s|/etc/ssl/desk|$NGINX_DIR/tls|" "$NGINX_DIR/site.conf"
    echo '}'
}

nginx_is_there() {
    [[ -s $NGINX_DIR/pid ]] && (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

nginx_has_started() {
    if has_ended "$NGINX_PID"; then
        return 0
    fi
    nginx_is_there "$1"
}

# start_nginx [SED_SCRIPT]: the manual's configuration, changed by the script, in front of $NGINX_UPSTREAM or of
# start_siod's siod. Sets NGINX_URL and NGINX_CERTIFICATE.
start_nginx() {
    local upstream=${NGINX_UPSTREAM:-${SIOD_URL#http://}} port try
    NGINX_DIR=$BATS_TEST_TMPDIR/nginx
    NGINX_CERTIFICATE=$NGINX_DIR/tls.pem
    mkdir -p "$NGINX_DIR"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=desk \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$NGINX_DIR/tls.key" -out "$NGINX_CERTIFICATE" 2>/dev/null
    manual_configuration | sed -E "${1:-}" >"$NGINX_DIR/site.conf"
    [[ -s $NGINX_DIR/site.conf ]] || fail "siod(8) has no configuration of nginx"
    for try in 1 2 3 4 5 6 7 8 9 10; do
        port=$((10000 + RANDOM % 20000)) # below those that the kernel gives to others
        nginx_configuration "$port" >"$NGINX_DIR/nginx.conf"
        in_background "$(nginx_path)" -e "$NGINX_DIR/error.log" -p "$NGINX_DIR" -c "$NGINX_DIR/nginx.conf" \
            >"$NGINX_DIR/output" 2>&1
        NGINX_PID=$!
        wait_until nginx_has_started "$port"
        has_ended "$NGINX_PID" || break
        grep -q 'Address already in use' "$NGINX_DIR/error.log" "$NGINX_DIR/output" ||
            fail "nginx does not start: $(cat "$NGINX_DIR/output")" || return 1
    done
    NGINX_URL=https://127.0.0.1:$port
}

# For teardown().
teardown_nginx() {
    if [[ -n ${NGINX_PID:-} ]]; then
        kill "$NGINX_PID" 2>/dev/null || :
        wait "$NGINX_PID" 2>/dev/null || :
    fi
    if [[ -z ${BATS_TEST_COMPLETED:-} && -s ${NGINX_DIR:-}/error.log ]]; then
        echo "--- the end of $NGINX_DIR/error.log"
        tail -n 20 "$NGINX_DIR/error.log"
    fi
}
