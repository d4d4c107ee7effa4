# shellcheck shell=bash disable=SC2034,SC2154
# Owns how scripts/setup_vertex_ai.sh talks to gcloud: a command is shown, limited in time, tried again where that helps,
# and a refusal becomes one sentence. Source it; it defines functions only.
#
# It reads $dry (not empty: only print), $project and $account. Functions must not run in a subshell, because they may
# end the script.

# refuse SENTENCE: bad input, or something in the way; nothing was created.
refuse() {
  echo "error: $*" >&2
  exit 2
}

# stop SENTENCE: something failed half-way.
stop() {
  echo "error: $*; what was made stays: type the same command to go on" >&2
  exit 1
}

say() { echo "# $*"; }

# quoted COMMAND...: as it can be copied into a shell.
quoted() {
  local line
  printf -v line '%q ' "$@"
  printf '%s\n' "${line% }"
}

transient='UNAVAILABLE|RESOURCE_EXHAUSTED|DEADLINE_EXCEEDED|INTERNAL|[^0-9](429|500|502|503|504)[^0-9]|[Cc]onnection|timed out|concurrent policy changes|etag'
# What is new takes a minute to be known everywhere: an API that was enabled, an account that was created.
unsettled='has not been used in project|SERVICE_DISABLED|API .*not enabled|[Ss]ervice account .*does not exist'
absent='NOT_FOUND|not found|does not exist|[^0-9]404[^0-9]'
present='ALREADY_EXISTS|already exists|already own it'
denied='PERMISSION_DENIED|[Pp]ermission .*denied|does not have permission|does not have .* access|[Ff]orbidden|[^0-9]403[^0-9]'
signed_out='UNAUTHENTICATED|[Rr]eauthentication|gcloud auth login|Application Default Credentials|invalid_grant'

# reason FILE: the line of gcloud's that tells most.
reason() {
  local line
  line="$(grep -m 1 'ERROR' "$1" || grep -m 1 . "$1" || echo "no reason given")"
  line="${line#ERROR: }"
  printf '%.300s' "$line"
}

# tried LIMIT PATTERN COMMAND...: runs it with $input as its input, again after each pause while what it says matches PATTERN or it was too late.
# Leaves its output in $answer, its complaints in $complaints and its exit code in $status.
tried() {
  local limit="$1" again="$2" pause
  shift 2
  for pause in ${MESOZOIC_SETUP_PAUSES:-5 15 30 60} last; do
    status=0
    answer="$(printf '%s' "${input:-}" | timeout --kill-after=10 "$limit" "$@" 2>"$complaints")" || status=$?
    if [ "$status" = 0 ] || [ "$pause" = last ]; then return 0; fi
    [ "$status" = 124 ] || grep -qE -- "$again" "$complaints" || return 0
    sleep "$pause"
  done
}

# sentence WHAT LIMIT: why the last command failed, and what to type.
sentence() {
  if [ "$status" = 124 ] || [ "$status" = 137 ]; then
    echo "could not $1: no answer within $2 s; look at the network and type the same command again"
  elif grep -qE -- "$signed_out" "$complaints"; then
    echo "could not $1: gcloud is not signed in; type: gcloud auth login && gcloud auth application-default login"
  elif grep -qi 'billing' "$complaints"; then
    echo "could not $1: project $project has no billing; switch it on at https://console.cloud.google.com/billing/linkedaccount?project=$project"
  elif grep -qE -- "$denied" "$complaints"; then
    echo "could not $1: $account has no right to; an owner of $project can give it: $(reason "$complaints")"
  else
    echo "could not $1: $(reason "$complaints")"
  fi
}

# look WHAT COMMAND...: 0 and its output in $answer if that is there, 1 if it is not; ends the script if nobody can tell.
look() {
  local what="$1"
  shift
  if [ -n "$dry" ]; then
    say "looks: $(quoted "$@")"
    answer=""
    return 1
  fi
  tried 120 "$transient" "$@"
  [ "$status" != 0 ] || return 0
  if grep -qE -- "$absent" "$complaints" && ! grep -qE -- "$denied" "$complaints"; then return 1; fi
  refuse "$(sentence "look at $what" 120); nothing was created"
}

# may_look COMMAND...: like look, where not being allowed to know is no obstacle.
may_look() {
  if [ -n "$dry" ]; then
    say "looks: $(quoted "$@")"
    answer=""
    return 1
  fi
  tried 120 "$transient" "$@"
  [ "$status" = 0 ]
}

# make LIMIT WHAT COMMAND...: creates something; that it exists already, because an answer was lost, is as good.
make() {
  local limit="$1" what="$2"
  shift 2
  printf '%s\n' "${before:-}$(quoted "$@")"
  [ -z "$dry" ] || return 0
  tried "$limit" "$transient|$unsettled" "$@"
  if [ "$status" != 0 ] && ! grep -qE -- "$present" "$complaints"; then stop "$(sentence "$what" "$limit")"; fi
}

# watched LIMIT WHAT COMMAND...: creates something that takes long and whose output is of interest.
watched() {
  local limit="$1" what="$2"
  shift 2
  quoted "$@"
  [ -z "$dry" ] || return 0
  status=0
  timeout --kill-after=30 "$limit" "$@" </dev/null || status=$?
  [ "$status" != 124 ] || stop "could not $what within $limit s"
  [ "$status" = 0 ] || stop "could not $what: exit code $status, see above"
}
