# shellcheck shell=bash disable=SC2016,SC2154
# Owns the steps of scripts/e2e_vertex.sh: what a user types, in order, and what must be true afterwards.

TINY=(--n-envs=32 ppo.n_steps=16 ppo.batch_size=512 env.max_episode_steps=50 curriculum.eval_episodes=8
  curriculum.min_avg_episode_length=0 curriculum.min_success_low=0.6)
place=(--project dig-site --region us-central1)
where=("${place[@]}" --bucket "gs://$E2E_BUCKET" --image us-central1-docker.pkg.dev/dig-site/mesozoic/mesozoic:test)
logs="$E2E_WORK/logs" gcs="$E2E_WORK/gcs/$E2E_BUCKET"

# told EXPRESSION: the Python expression holds for what the stand-in says of its jobs.
told() {
  python - "$E2E_WORK/jobs.json" "$1" <<'PYTHON'
import json, sys
jobs = json.load(open(sys.argv[1]))
named = lambda name: [one for one in jobs if one["name"].startswith(name)]
tuning = [one for one in jobs if "/hyperparameterTuningJobs/" in one["resource"]]
going = [one for one in jobs if one["state"] in ("PENDING", "RUNNING", "CANCELLING")]
sys.exit(not eval(sys.argv[2]))
PYTHON
}

# count TEXT: how often it stands in what the stand-in says of its jobs.
count() { python -c 'import sys; print(open(sys.argv[1]).read().count(sys.argv[2]))' "$E2E_WORK/jobs.json" "$1"; }

# tells EXPRESSION [SECONDS]: it holds within that time, else the step fails.
tells() { wait_until "${2:-10}" told "$1" || { show "$E2E_WORK/jobs.json" >&2; fail "not so: $1"; }; }

# refused LOG COMMAND...: exit code 2, one sentence, and no job that was not there before.
refused() {
  local log="$1" before
  shift
  before="$(count '"resource"')"
  typed 2 "$log" 120 "$@"
  [ "$(grep -c '^error: ' "$log")" = 1 ] || { show "$log" >&2; fail "not one sentence: $*"; }
  if grep -q Traceback "$log"; then fail "a traceback: $*"; fi
  tells "len(jobs) == $before"
  say "$(grep '^error: ' "$log")"
}

# nothing_forgotten: no job goes on, and the books say so.
nothing_forgotten() {
  tells 'going == []' 60
  typed 0 "$logs/status-after.log" 120 mesozoic cloud status
  contains "$logs/status-after.log" "nothing of this project is rented"
}

# trains NAME: a job of that name trains, and has a checkpoint in the bucket.
trains() {
  wait_until 300 checkpoint_of "$1" || { show "$E2E_WORK/jobs.json" >&2; fail "$1 has no checkpoint"; }
}
checkpoint_of() { [ -n "$(find "$gcs" -path "*$1*/checkpoints/*" -type f 2>/dev/null)" ]; }

step_dry_run() {
  check "mesozoic vertex submit --dry-run prints price and job, and submits nothing"
  typed 0 "$logs/dry-run.log" 120 mesozoic vertex submit trex --stage 1 "${where[@]}" --dry-run
  contains "$logs/dry-run.log" '[$]0[.]44/h'
  contains "$logs/dry-run.log" '"containerSpec"'
  tells 'jobs == []'
  pass
}

step_submit() {
  check "one stage: submitted, listed, followed, brought home, evaluated"
  typed 0 "$logs/submit.log" 600 mesozoic vertex submit trex --stage 1 --timesteps 4096 "${TINY[@]}" "${where[@]}" \
    --name e2e-one --wait --yes
  tells '[one["state"] for one in named("e2e-one")] == ["SUCCEEDED"]'
  typed 0 "$logs/list.log" 120 mesozoic vertex list "${place[@]}"
  contains "$logs/list.log" "e2e-one.*SUCCEEDED"
  typed 0 "$logs/status.log" 120 mesozoic vertex status e2e-one "${place[@]}"
  contains "$logs/status.log" "gs://$E2E_BUCKET/training/"
  typed 0 "$logs/logs.log" 120 mesozoic vertex logs e2e-one "${place[@]}" --no-follow
  [ -s "$logs/logs.log" ] || fail "no line of the job"
  typed 0 "$logs/download.log" 300 mesozoic vertex download e2e-one "${place[@]}" --output runs/one
  [ -n "$(find runs/one -name metrics.json)" ] || fail "no result came home"
  typed 0 "$logs/eval.log" 300 mesozoic eval runs/one --episodes 8
  nothing_forgotten
  pass
}

step_all_species() {
  check "--species all: a job for each animal, side by side"
  typed 0 "$logs/all.log" 900 mesozoic vertex submit --species all --stage 1 --timesteps 1024 "${TINY[@]}" "${where[@]}" \
    --name e2e-all --wait --yes
  tells 'len(named("e2e-all")) == 3 and all(one["state"] == "SUCCEEDED" for one in named("e2e-all"))'
  for animal in velociraptor trex brachiosaurus; do
    [ -n "$(find "$gcs/training" -path "*$animal*" -name metrics.json)" ] || fail "no result of $animal"
  done
  nothing_forgotten
  pass
}

step_cancel() {
  check "cancel ends a job, whose training saves a checkpoint"
  typed 0 "$logs/long.log" 300 mesozoic vertex submit trex --stage 1 --timesteps 4000000 "${TINY[@]}" curriculum.save_freq=1024 \
    "${where[@]}" --name e2e-long --yes
  trains e2e-long
  typed 0 "$logs/cloud-status.log" 120 mesozoic cloud status
  contains "$logs/cloud-status.log" "e2e-long"
  typed 0 "$logs/cancel.log" 300 mesozoic vertex cancel e2e-long "${place[@]}" --yes
  tells 'named("e2e-long")[0]["state"] == "CANCELLED"' 60
  nothing_forgotten
  pass
}

step_preempted() {
  check "a machine that is taken away: the job goes on from its checkpoint on another one"
  typed 0 "$logs/spot.log" 300 mesozoic vertex submit trex --stage 1 --timesteps 40960 "${TINY[@]}" \
    curriculum.save_freq=1024 "${where[@]}" --spot --name e2e-spot --yes
  trains e2e-spot
  echo "preempt e2e-spot" >>"$E2E_WORK/orders"
  tells 'named("e2e-spot")[0]["state"] == "SUCCEEDED"' 600
  typed 0 "$logs/spot-logs.log" 120 mesozoic vertex logs e2e-spot "${place[@]}" --no-follow
  contains "$logs/spot-logs.log" 'going on from the checkpoint at [1-9]'
  nothing_forgotten
  pass
}

step_tuning() {
  check "sweep launch --engine vertex: six trials, two side by side, each reports its score"
  typed 0 "$logs/tuning.log" 300 mesozoic sweep launch --engine vertex --species trex --stage 1 --trials 6 --parallel 2 \
    --timesteps 1024 "${TINY[@]}" --search-space '{"ppo_learning_rate": {"type": "double", "min": 1e-4, "max": 1e-3}}' \
    "${where[@]}" --yes
  tells 'len(tuning) == 1 and tuning[0]["state"] == "SUCCEEDED"' 1200
  tells 'len(tuning[0]["trials"]) == 6 and all(one["reported"] for one in tuning[0]["trials"])'
  nothing_forgotten
  pass
}

# The sweep of all stages that is started, killed, and started again.
chain=(mesozoic sweep launch-all --engine vertex --species trex --trials 2 --parallel 2 --timesteps 2048 "${TINY[@]}"
  --search-space '{"ppo_learning_rate": {"type": "double", "min": 1e-4, "max": 1e-3, "scale": "log"}}'
  "${where[@]}" --output-dir "$E2E_WORK/user/chain" --yes)

# killed LOG EXPRESSION SECONDS: starts that sweep, and kill -9 once EXPRESSION holds.
killed() {
  local launcher
  printf '      $ %s &\n' "${chain[*]}"
  "${chain[@]}" >"$1" 2>&1 </dev/null &
  launcher=$!
  wait_while "$launcher" "$3" told "$2" || { kill -KILL "$launcher"; show "$1" >&2; fail "not so: $2"; }
  kill -KILL "$launcher"
  wait "$launcher" || true
  say "kill -9 when $2"
}

step_chain() {
  check "launch-all over three stages, killed while stage 1 trains and when stage 2 has begun: the same command goes on"
  local before
  before="$(count hyperparameterTuningJobs)"
  killed "$logs/chain-1.log" "len(tuning) == $before + 1 and tuning[-1]['trials']" 300
  typed 0 "$logs/chain-status.log" 120 mesozoic cloud status
  contains "$logs/chain-status.log" "tuning job"
  killed "$logs/chain-2.log" "len(tuning) == $before + 2" 900
  typed 0 "$logs/chain.log" 1800 "${chain[@]}"
  tells "len(tuning) == $before + 3 and all(one['state'] == 'SUCCEEDED' for one in tuning)"
  for stage in 1 2 3; do
    [ -n "$(find "$gcs/sweeps/trex/stage$stage" -name "stage${stage}_final.zip")" ] || fail "no policy of stage $stage"
    [ -n "$(find "$gcs/sweeps/trex" -name "_stage${stage}_results.csv")" ] || fail "no results of stage $stage"
  done
  contains "$logs/chain.log" "mesozoic curriculum"
  typed 0 "$logs/chain-again.log" 120 "${chain[@]}"
  tells "len(tuning) == $before + 3"
  nothing_forgotten
  pass
}

step_collect() {
  check "sweep collect-results gs://...: a row for each trial, and pictures"
  [ -d "$gcs/sweeps/trex" ] || step_tuning
  typed 0 "$logs/collect.log" 300 mesozoic sweep collect-results "gs://$E2E_BUCKET/sweeps/trex" --plot
  local rows trials
  rows="$(($(wc -l <collected_results.csv) - 1))"
  trials="$(find "$gcs/sweeps/trex" -name trial.json -not -path '*.old*' | wc -l)"
  [ "$rows" = "$trials" ] || fail "$rows rows of $trials trials"
  [ -s sweep_trial_metrics.png ] || fail "no picture"
  pass "$rows trials"
}

step_bad_input() {
  check "bad input and what is in the way: one sentence each, nothing submitted"
  local submit=(mesozoic vertex submit trex --stage 1 --yes)
  refused "$logs/bad-1.log" env -u GOOGLE_CLOUD_PROJECT "${submit[@]}" --bucket "$E2E_BUCKET" --image mesozoic:1
  refused "$logs/bad-2.log" "${submit[@]}" "${place[@]}" --image mesozoic:1
  refused "$logs/bad-3.log" "${submit[@]}" "${where[@]}" --bucket "gs://$E2E_BUCKET-2"
  refused "$logs/bad-4.log" "${submit[@]}" "${where[@]}" --image us-central1-docker.pkg.dev/dig-site/mesozoic/mesozoic:2
  refused "$logs/bad-5.log" "${submit[@]}" "${where[@]}" --accelerator H10
  refused "$logs/bad-6.log" "${submit[@]}" "${where[@]}" --wandb-secret nothing
  refused "$logs/bad-7.log" mesozoic vertex submit trx "${where[@]}" --yes
  printf '{"ppo_learning_rat": {"type": "double", "min": 1e-4, "max": 1e-3}}' >bad.json
  refused "$logs/bad-8.log" mesozoic sweep launch --engine vertex --species trex --stage 1 --search-space-file bad.json \
    "${where[@]}" --yes
  nothing_forgotten
  pass
}
