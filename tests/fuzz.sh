#!/bin/bash
# fuzz.sh BUILD SECONDS: every fuzzer, as many at a time as there are CPUs.
# What they find is left in BUILD/fuzz/NAME; their corpus grows there too.
set -u
cd "$(dirname "$0")/.."

build=$(realpath "$1")
seconds=$2

fuzz_one() {
	local build=$1 seconds=$2 program=$3 name seeds=() cpu
	name=$(basename "$program") name=${name#fuzz_}
	mkdir -p "$build/fuzz/$name"
	[ -d "tests/fuzz/corpus/$name" ] && seeds=("tests/fuzz/corpus/$name")
	local options=("-max_total_time=$seconds" -rss_limit_mb=2048 -timeout=25
		"-artifact_prefix=$build/fuzz/$name-")
	[ -f "tests/fuzz/$name.dict" ] &&
		options+=("-dict=tests/fuzz/$name.dict")
	local TIMEFORMAT=%U
	if { time "$program" "${options[@]}" "$build/fuzz/$name" "${seeds[@]}" \
		>"$build/fuzz/$name.log" 2>&1; } 2>"$build/fuzz/$name.cpu"; then
		cpu=$(tail -n 1 "$build/fuzz/$name.cpu")
		echo "fuzz $name: $cpu s of a processor," \
			"$(tail -n 1 "$build/fuzz/$name.log")"
	else
		tail -n 30 "$build/fuzz/$name.log"
		echo "fuzz $name: FAILED, see $build/fuzz/$name-*"
		return 1
	fi
}
export -f fuzz_one

mapfile -t programs < <(find "$build/tests/fuzz" -maxdepth 1 -type f \
	-name 'fuzz_*' -executable | sort)
[ ${#programs[@]} -gt 0 ] || { echo "no fuzzer was built" && exit 1; }
printf '%s\n' "${programs[@]}" |
	xargs -P "$(nproc)" -I{} bash -c "fuzz_one '$build' '$seconds' {}"
