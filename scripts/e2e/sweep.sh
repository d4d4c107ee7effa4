# shellcheck shell=bash
# Owns the end-to-end run of a W&B sweep: sweep-launch.sh on the Slurm cluster, against a loopback server that speaks
# W&B's protocol to the real wandb client (tests/support/wandb_server.py).

# wandb_up [ADDRESS]: starts the server and points wandb at it; its state is in $WANDB_STATE.
wandb_up() {
  WANDB_STATE="$E2E_WORK/wandb-state.json"
  echo '{}' >"$WANDB_STATE"
  rm -f "$E2E_WORK/wandb-env" # that of a server before
  PYTHONPATH="tests${PYTHONPATH:+:$PYTHONPATH}" python -m support.wandb_server --host "${1:-127.0.0.1}" --state "$WANDB_STATE" >"$E2E_WORK/wandb-env" 2>"$E2E_WORK/wandb-server.log" &
  WANDB_SERVER=$!
  wait_until 60 grep -q WANDB_ERROR_REPORTING "$E2E_WORK/wandb-env" || fail "the W&B server did not start"
  # shellcheck source=/dev/null
  source "$E2E_WORK/wandb-env"
}

# tiny_sweep FILE RUNS [SED]: the sweep of the checkout, with RUNS short runs.
tiny_sweep() {
  sed -e 's/--timesteps=[0-9]*/--timesteps=20000/' -e "s/run_cap: .*/run_cap: $2/" \
    -e 's/^  - --stage=1$/  - --stage=1\n  - --n-envs=64/' -e "${3:-}" configs/sweeps/velociraptor_balance.yaml >"$1"
}

# in_wandb EXPRESSION: fails unless the Python expression holds for the server's sweeps, runs and agents.
in_wandb() {
  python - "$WANDB_STATE" "$1" <<'PYTHON' || { show "$WANDB_STATE" 40 >&2; fail "W&B's server does not say: $1"; }
import json, sys
state = json.load(open(sys.argv[1]))
sweeps, runs = state.get("sweeps", {}), state.get("runs", {})
sweep = list(sweeps.values())[-1] if sweeps else {"name": None, "state": None, "agents": []}
runs = [run for run in runs.values() if run["sweep"] == sweep["name"]]
scores = [[row["eval/score"] for row in run["history"] if "eval/score" in row] for run in runs]
sys.exit(not eval(sys.argv[2]))
PYTHON
}

# all_gone: neither SkyPilot nor Slurm has anything of a sweep.
all_gone() { nothing_runs && ! sky status 2>/dev/null | grep '^mesozoic-sweep-'; }

step_sweep() {
  local sweep="$E2E_WORK/sweep.yaml" results="$E2E_WORK/swept" status=0
  local logs="$E2E_WORK/logs"
  wandb_up
  tiny_sweep "$sweep" 3
  nothing_runs || typed 0 "$logs/sweep-before.log" 600 sky down -a -y # one cluster at a time, see steps.sh

  check "sweep-launch.sh --dry-run creates and rents nothing"
  typed 0 "$logs/sweep-dry.log" 600 bash cloud/sweep-launch.sh A100:2 --infra slurm --sweep "$sweep" --dry-run
  contains "$logs/sweep-dry.log" "2 agents, one for each A100"
  in_wandb 'sweep["name"] is None'
  all_gone || fail "something was rented"
  pass

  check "sweep-launch.sh A100:2: two agents, three runs, results home, everything down"
  typed 0 "$logs/sweep.log" 3000 bash cloud/sweep-launch.sh A100:2 --infra slurm --sweep "$sweep" --max-hours 1 \
    --yes --wait --pull "$results" --down
  in_wandb 'sweep["state"] == "FINISHED" and len(sweep["agents"]) == 2'
  in_wandb 'len(runs) == 3 and all(run["state"] == "finished" for run in runs)'
  in_wandb '{run["agent"] for run in runs} == set(sweep["agents"])'
  in_wandb 'all(scores) and all(run["summary"]["eval/score"] == score[-1] for run, score in zip(runs, scores))'
  [ "$(find "$results" -path '*/stage1/metrics.json' | wc -l)" = 3 ] || fail "not every run folder came home"
  contains "$logs/sweep.log" "all agents ended well"
  contains "$logs/sweep.log" "no cluster, managed job or pool of this project is left"
  all_gone || fail "something still runs"
  pass

  check "a sweep whose runs fail: the agent's exit code says so, although that of wandb agent does not"
  tiny_sweep "$sweep" 2 's/- velociraptor/- velociraptor\n  - --load=nowhere.zip/'
  typed 1 "$logs/sweep-failing.log" 1800 bash cloud/sweep-launch.sh CPU:1 --infra slurm --sweep "$sweep" \
    --yes --wait --down
  contains "$logs/sweep-failing.log" "agents that failed: .*FAILED"
  all_gone || fail "something still runs"
  pass

  check "Ctrl-C while the machine is set up: everything is taken down, the sweep is cancelled"
  tiny_sweep "$sweep" 3
  local log="$logs/sweep-interrupted.log"
  env --default-signal=INT bash cloud/sweep-launch.sh CPU:2 --infra slurm --sweep "$sweep" --yes >"$log" 2>&1 &
  local launcher=$!
  wait_while "$launcher" 600 grep -q "rented: slurm" "$log" || { show "$log" >&2; fail "no machine came up"; }
  kill -INT "$launcher"
  wait "$launcher" || status=$?
  [ "$status" = 130 ] || { show "$log" >&2; fail "exit code $status instead of 130"; }
  contains "$log" "interrupted.*nothing of it is left running; the sweep is cancelled"
  in_wandb 'sweep["state"] == "CANCELED" and runs == []'
  all_gone || fail "something still runs"
  pass

  kill "$WANDB_SERVER"
}

step_sweep_nodes() {
  local sweep="$E2E_WORK/sweep-nodes.yaml" results="$E2E_WORK/swept-nodes" logs="$E2E_WORK/logs"
  check "a sweep over two machines: an agent on each, all runs come home, everything down"
  nothing_runs || typed 0 "$logs/sweep-before.log" 600 sky down -a -y
  wandb_up
  tiny_sweep "$sweep" 4
  typed 0 "$logs/sweep-nodes.log" 3600 bash cloud/sweep-launch.sh A100 --nodes 2 --infra slurm --sweep "$sweep" \
    --max-hours 1 --yes --wait --pull "$results" --down
  in_wandb 'sweep["state"] == "FINISHED" and len(sweep["agents"]) == 2'
  in_wandb 'len(runs) == 4 and all(run["state"] == "finished" for run in runs)'
  in_wandb '{run["agent"] for run in runs} == set(sweep["agents"])'
  [ "$(find "$results" -path '*/stage1/metrics.json' | wc -l)" = 4 ] || fail "not every run folder came home"
  contains "$logs/sweep-nodes.log" "no cluster, managed job or pool of this project is left"
  all_gone || fail "something still runs"
  pass
  kill "$WANDB_SERVER"
}
