#!/bin/bash
# What `./run check` does once the packages are there: every step runs, and
# the last line says which failed.
set -u
cd "$(dirname "$0")/.."

JOBS=$(nproc)
SOURCES="util mail net imapclient popclient cache fs cli"
failed=()

step() {
	local name=$1
	shift
	printf '== %s\n' "$name"
	"$@" || failed+=("$name")
}

# build DIRECTORY COMPILER OPTION...
build() {
	local dir=$1 cc=$2
	shift 2
	[ -f "$dir/build.ninja" ] ||
		CC=$cc meson setup "$dir" --werror -Dtests=enabled "$@" >/dev/null
	ninja -C "$dir" -j "$JOBS" --quiet
}

unit() {
	meson test -C "$1" --no-rebuild --print-errorlogs "${@:2}"
}

sanitized() {
	build "build-$1" clang -Db_lundef=false "-Db_sanitize=$2" \
		-Dfault_points=true && unit "build-$1"
}

# Not what reads a core: with its shadow memory that is terabytes.
mounted() {
	MAILMOUNT=$PWD/$1/cli/mailmount timeout -k 10 1800 \
		/usr/bin/python3 -m pytest -c tests/pytest.ini \
		--rootdir tests -q tests/mount \
		--deselect mount/test_tls.py::test_the_password_is_not_in_memory
}

sources() { git ls-files '*.c' '*.h'; }

# Not fs/fs and fs/ack: they use their own mount, and valgrind runs one thread
# at a time, so the call that waits for the mount keeps the mount from answering.
# Where tests fork leaks are not looked for: what another thread holds is lost to
# a child.  Those are the long ones too, and all is some thirty times slower.
under_valgrind() {
	build build-gcc gcc -Dfault_points=true || return
	local tests forks='^fs/|^cache/(crash|once|split)' err=0
	tests=$(meson test -C build-gcc --no-rebuild --list 2>/dev/null |
		sed -n 's/^.* \/ //; /^[a-z]*\/[a-z_]*$/p' | grep -vx -e fs/fs -e fs/ack)
	valgrind_of full $(grep -vE "$forks" <<<"$tests") || err=$?
	CRASH_EVERY=50 ONCE_RUNS=60 MODEL_COUNT=1000 \
		valgrind_of no $(grep -E "$forks" <<<"$tests") || err=$?
	return $err
}

# valgrind_of LEAK_CHECK TEST...
valgrind_of() {
	unit build-gcc --timeout-multiplier 10 --wrapper \
		"valgrind -q --error-exitcode=99 --leak-check=$1" "${@:2}"
}

formatted() { sources | xargs clang-format --dry-run -Werror; }

tidy() {
	build build-clang clang &&
		git ls-files $SOURCES | grep '\.c$' |
		xargs -P "$JOBS" -n 4 clang-tidy -p build-clang --quiet
}

cpp_check() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr \
		--enable=warning,portability --suppress=missingIncludeSystem \
		-D_GNU_SOURCE -I . $SOURCES
}

# Every tenth death: `./run test` has them all.
export CRASH_EVERY=10
export ASAN_OPTIONS=detect_stack_use_after_return=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1
# Of the simulation's runs, of deaths and of power cuts; ./run test does them
# all.
export ONCE_RUNS=200 MAILMOUNT_KILL_RUNS=20 MAILMOUNT_POWER_COPIES=40

step "include table" tests/layers.py
step "clang-format" formatted
step "gcc -Werror" build build-gcc gcc -Dfault_points=true
step "clang -Werror" build build-clang clang
step "address, undefined" sanitized asan address,undefined
step "mount tests, address, undefined" mounted build-asan
step "thread" sanitized tsan thread
step "valgrind" under_valgrind
step "clang-tidy" tidy
step "cppcheck" cpp_check

if [ ${#failed[@]} -gt 0 ]; then
	printf 'FAILED: %s\n' "${failed[@]}"
	exit 1
fi
echo "all checks passed"
