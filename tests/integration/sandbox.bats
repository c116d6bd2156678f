#!/usr/bin/env bats
# What a hostile program gets to do in cell-sandbox. Every test runs for who runs the tests
# and, if that is root, for an ordinary user as well.

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-sandbox.XXXXXX")
	chmod 755 "$dir"
	# A user who is not root must reach the programs, wherever the tree is.
	cp "$CELL_BUILD/bin/cell-sandbox" "$CELL_BUILD/tests/bin/sandbox_probe" "$dir"
	probe=$dir/sandbox_probe
	node=test$$-$BATS_TEST_NUMBER
	manifest probe ''
	if ! "$dir/cell-sandbox" --check >/dev/null 2>&1; then
		skip "sandboxes do not work here: $("$dir/cell-sandbox" --check 2>&1)"
	fi
}

teardown() {
	[ -z "${listener:-}" ] || kill "$listener" 2>/dev/null || true
	"$dir/cell-sandbox" --node "$node" --cleanup || true
	rm -rf "$dir" ${closed:+"$closed"}
}

# manifest NAME TEXT: a manifest beside the programs; NAME runs the probe
manifest() {
	printf '%s\n' "$2" >"$dir/$1.cell"
	[ -e "$dir/$1" ] || ln "$probe" "$dir/$1"
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# sandbox OPTION... -- ARGUMENT...: run the probe, the log lines of the start left out
sandbox() {
	run "$dir/cell-sandbox" --node "$node" "$@"
	output=$(printf '%s\n' "$output" | grep -vE 'event=(no_user|no_cgroup|abstract_sockets_open)' || true)
}

# The same as a user who is not root; who cannot change user has been one all along.
sandbox_as_user() {
	if is_root; then
		run setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$dir/cell-sandbox" --node "$node" "$@"
	else
		run "$dir/cell-sandbox" --node "$node" "$@"
	fi
	output=$(printf '%s\n' "$output" | grep -vE 'event=(no_user|no_cgroup|abstract_sockets_open)' || true)
}

# refused RESULT ARGUMENT...: the probe says RESULT, whoever starts it
refused() {
	local result=$1
	shift
	for as in sandbox sandbox_as_user; do
		$as "$dir/probe.cell" -- libcell "$@"
		echo "$as $*: $output"
		[ "$status" -eq 1 ]
		[ "$(printf '%s\n' "$output" | tail -n 1)" = "$result" ]
	done
}

@test "files of others are not there" {
	refused "read: ENOENT" read /etc/shadow
	refused "read: ENOENT" read /etc/ssh
	refused "list: ENOENT" list /root
	refused "list: ENOENT" list /home
	refused "list: ENOENT" list "$HOME"
	refused "list: ENOENT" list "$dir"
	refused "list: ENOENT" list /var
	refused "list: ENOENT" list /run
	refused "list: ENOENT" list /sys
}

@test "the system is read-only, and so is everything else but /tmp" {
	refused "write: EROFS" write /usr/x
	refused "write: EACCES" write /usr/bin/sh
	refused "write: EROFS" write /x
	refused "write: EACCES" write /etc/passwd
	refused "write: EROFS" write /etc/shadow
	refused "write: EROFS" write /cell/x
	sandbox "$dir/probe.cell" -- write /tmp/x
	[ "$output" = "write: allowed" ]
}

@test "the root folder holds what a cell needs and no more" {
	sandbox "$dir/probe.cell" -- list /
	for entry in $output; do
		case $entry in
		bin | sbin | lib | lib32 | lib64 | libx32 | usr | etc | proc | dev | tmp | cell | list: | allowed) ;;
		*) echo "unexpected: $entry"; false ;;
		esac
	done
	sandbox "$dir/probe.cell" -- list /etc
	[[ "$output" != *shadow* ]]
	[[ "$output" != *ssl* ]]
	[[ "$output" = *ld.so.cache* ]]
}

@test "dangerous system calls are refused and logged" {
	refused "ptrace: EPERM" ptrace
	refused "mount: EPERM" mount
	refused "unshare: EPERM" unshare
	refused "newuser: EPERM" newuser
	refused "keyctl: EPERM" keyctl
	refused "tiocsti: EPERM" tiocsti
	refused "clone3: ENOSYS" clone3
	sandbox "$dir/probe.cell" -- libcell mount
	[[ "$output" = *"level=warn cell=probe sub=sandbox event=syscall_denied name=mount "* ]]
	# A program that links libcell is covered from its start.
	sandbox "$dir/probe.cell" -- ptrace
	[[ "$output" = *"event=syscall_denied name=ptrace "* ]]
	[[ "$output" = *"ptrace: EPERM" ]]
	# One that does not, and is taken for a cell, ends.
	sandbox --program /usr/bin/unshare "$dir/probe.cell" -- --user true
	[ "$status" -eq 159 ]
}

@test "programs without libcell get EPERM" {
	manifest probe '[cell]
init = yes'
	sandbox "$dir/probe.cell" -- mount
	[ "$output" = "mount: EPERM" ]
	manifest probe '[sandbox]
report-denied = no'
	sandbox "$dir/probe.cell" -- connect 80
	[ "$output" = "socket: EPERM" ]
}

@test "nobody is root in there, and nobody can become it" {
	for as in sandbox sandbox_as_user; do
		$as "$dir/probe.cell" -- id
		[[ "$output" != *uid=0* ]]
		[[ "$output" != *gid=0* ]]
		[[ "$output" = *"CapEff:	0000000000000000"* ]]
		[[ "$output" = *"CapBnd:	0000000000000000"* ]]
		[[ "$output" = *"NoNewPrivs:	1"* ]]
	done
	refused "setuid: EINVAL" setuid
}

@test "the real uid is not root's either" {
	is_root || skip "not root"
	sandbox --state "$dir/state" "$dir/probe.cell" -- write /state/mine
	[ "$output" = "write: allowed" ]
	[ "$(stat -c %u "$dir/state")" -ne 0 ]
	[ "$(stat -c %u "$dir/state/mine")" = "$(stat -c %u "$dir/state")" ]
	sandbox --user root "$dir/probe.cell" -- id
	[ "$status" -eq 5 ]
	[[ "$output" = *"no cell runs as root"* ]]
	sandbox --user no-such-user "$dir/probe.cell" -- id
	[ "$status" -eq 3 ]
	sandbox --user 4711 "$dir/probe.cell" -- id
	[[ "$output" = *"uid=4711 gid=4711"* ]]
}

@test "it is pid 1 and sees no other process" {
	sandbox "$dir/probe.cell" -- id
	[[ "$output" = *"pid=1"* ]]
	refused "kill-outside: ESRCH" kill-outside
	manifest probe '[cell]
init = yes'
	sandbox "$dir/probe.cell" -- id
	[[ "$output" != *"pid=1"$'\n'* ]]
}

@test "no network, unless the manifest says so" {
	"$probe" listen >"$dir/port" 3>&- &
	listener=$!
	until [ -s "$dir/port" ]; do sleep 0.01; done
	refused "socket: EPERM" connect "$(cat "$dir/port")"
	manifest probe '[sandbox]
network = host'
	sandbox "$dir/probe.cell" -- connect "$(cat "$dir/port")"
	[ "$output" = "connect: allowed" ]
}

@test "the machine's abstract sockets stay closed with its network" {
	name=cell-test-$$-$BATS_TEST_NUMBER
	"$probe" listen "@$name" >"$dir/port" 3>&- &
	listener=$!
	until [ -s "$dir/port" ]; do sleep 0.01; done
	"$probe" abstract "$name"
	wait "$listener"
	"$probe" listen "@$name" >"$dir/again" 3>&- &
	listener=$!
	until [ -s "$dir/again" ]; do sleep 0.01; done
	manifest probe '[sandbox]
network = host'
	run "$dir/cell-sandbox" --node "$node" "$dir/probe.cell" -- abstract "$name"
	[[ "$output" != *abstract_sockets_open* ]] || skip "this kernel cannot close them"
	[[ "$output" = *"abstract: EPERM" ]]
}

@test "a cell has its own state and no other" {
	mkdir "$dir/states"
	chmod 777 "$dir/states"
	for as in sandbox sandbox_as_user; do
		rm -rf "$dir/states/"*
		$as --state "$dir/states/one" "$dir/probe.cell" -- write /state/file
		[ "$output" = "write: allowed" ]
		[ -e "$dir/states/one/file" ]
		$as --state "$dir/states/two" "$dir/probe.cell" -- list /state
		[ "$output" = "list: allowed" ]
		$as --state "$dir/states/two" "$dir/probe.cell" -- read /state/../one/file
		[ "$output" = "read: ENOENT" ]
		$as --state "$dir/states/two" "$dir/probe.cell" -- read "$dir/states/one/file"
		[ "$output" = "read: ENOENT" ]
	done
}

@test "state can be switched off" {
	manifest probe '[sandbox]
state = no'
	sandbox --state "$dir/state" "$dir/probe.cell" -- list /state
	[ "$output" = "list: ENOENT" ]
	[ ! -e "$dir/state" ]
}

@test "a fork bomb ends at its limit" {
	manifest probe '[limits]
tasks = 16'
	run "$dir/cell-sandbox" --node "$node" "$dir/probe.cell" -- fork 200
	[[ "$output" != *no_cgroup* ]] || skip "no pids cgroup here"
	n=$(printf '%s\n' "$output" | sed -n 's/^children: //p')
	# Sanitizers have threads of their own.
	[ "$n" -le 15 ]
	[ "$n" -ge 3 ]
	[[ "$output" = *"fork: EAGAIN"* ]]
}

@test "twice its memory is too much" {
	manifest probe '[limits]
memory = 64M'
	for as in sandbox sandbox_as_user; do
		$as "$dir/probe.cell" -- allocate $((16 * 1024 * 1024))
		[ "$output" = "allocate: allowed" ]
		# Without a cgroup, sanitized programs have no limit: see limits.c.
		[ $as = sandbox ] || ! ldd "$probe" | grep -qE 'lib[at]san' || continue
		$as "$dir/probe.cell" -- allocate $((128 * 1024 * 1024))
		[ "$status" -ne 0 ]
		[[ "$output" != *"allocate: allowed"* ]]
	done
}

@test "files in /tmp are memory and limited" {
	manifest probe '[limits]
memory = 64M'
	for as in sandbox sandbox_as_user; do
		$as "$dir/probe.cell" -- fill /tmp/x $((48 * 1024 * 1024))
		[ "$output" = "fill: ENOSPC" ]
	done
}

@test "the processor is limited" {
	manifest probe '[limits]
cpu = 20'
	run "$dir/cell-sandbox" --node "$node" "$dir/probe.cell" -- spin 1000
	[[ "$output" != *no_cgroup* ]] || skip "no cpu cgroup here"
	ms=$(printf '%s\n' "$output" | tail -n 1)
	echo "$ms ms of 1000"
	[ "$ms" -lt 600 ]
}

@test "the cgroup is one per instance and can be removed" {
	run "$dir/cell-sandbox" --node "$node" --instance 7 "$dir/probe.cell" -- id
	[[ "$output" != *no_cgroup* ]] || skip "no cgroups here"
	[ -n "$(find /sys/fs/cgroup -type d -path "*/cell/$node/probe-7" 2>/dev/null)" ]
	sandbox --instance 7 --cleanup "$dir/probe.cell"
	[ "$status" -eq 0 ]
	[ -z "$(find /sys/fs/cgroup -type d -path "*/cell/$node" 2>/dev/null)" ]
	sandbox --instance 7 --cleanup "$dir/probe.cell"
	[ "$status" -eq 0 ]
}

@test "all instances of a node can be ended at once" {
	run "$dir/cell-sandbox" --node "$node" "$dir/probe.cell" -- id
	[[ "$output" != *no_cgroup* ]] || skip "no cgroups here"
	mkfifo "$dir/fifo"
	for i in 1 2; do
		"$dir/cell-sandbox" --node "$node" --instance $i --program /bin/sleep \
			"$dir/probe.cell" -- 60 2>"$dir/fifo" 3>&- &
	done
	exec 7<"$dir/fifo"
	until [ -n "$(find /sys/fs/cgroup -path "*/cell/$node/probe-2/cgroup.procs" -exec cat {} +)" ]; do
		sleep 0.01
	done
	run "$dir/cell-sandbox" --node "$node" --instance 2 "$dir/probe.cell" -- id
	[ "$status" -eq 7 ]
	"$dir/cell-sandbox" --node "$node" --cleanup
	timeout 20 cat <&7
	exec 7<&-
	[ -z "$(find /sys/fs/cgroup -type d -path "*/cell/$node" 2>/dev/null)" ]
	run "$dir/cell-sandbox" --cleanup
	[ "$status" -eq 2 ]
}

@test "only the control socket and stderr go in" {
	run "$dir/cell-sandbox" --node "$node" "$dir/probe.cell" -- fds 5</dev/null 9</dev/null 3<&-
	[ "$(printf '%s\n' "$output" | grep -v level= | tr '\n' ' ')" = "0 1 2 " ]
	run "$dir/cell-sandbox" --node "$node" "$dir/probe.cell" -- fds 3</dev/null 9</dev/null
	[ "$(printf '%s\n' "$output" | grep -v level= | tr '\n' ' ')" = "0 1 2 3 " ]
	run "$dir/cell-sandbox" --node "$node" --keep-fd 9 "$dir/probe.cell" -- fds 3<&- 9</dev/null
	[ "$(printf '%s\n' "$output" | grep -v level= | tr '\n' ' ')" = "0 1 2 9 " ]
	sandbox --keep-fd 77 "$dir/probe.cell" -- fds
	[ "$status" -eq 2 ]
}

@test "the environment is clean" {
	manifest probe '[sandbox]
env = PASSED SET=yes'
	run env SECRET=x PASSED=1 CELL_RUNDIR=/nowhere "$dir/cell-sandbox" --node "$node" \
		--instance 3 --state "$dir/state" "$dir/probe.cell" -- env
	[[ "$output" != *SECRET* ]]
	[[ "$output" != *CELL_RUNDIR* ]]
	[[ "$output" = *PASSED=1* ]]
	[[ "$output" = *SET=yes* ]]
	[[ "$output" = *CELL_NAME=probe* ]]
	[[ "$output" = *CELL_INSTANCE=3* ]]
	[[ "$output" = *CELL_NODE=$node* ]]
	[[ "$output" = *CELL_STATEDIR=/state* ]]
}

@test "arguments arrive as they are" {
	manifest probe '[cell]
exec = probe args "a b"'
	sandbox "$dir/probe.cell" -- '' '$HOME' '--state'
	[ "$output" = "$(printf 'a b\n\n$HOME\n--state')" ]
}

@test "read-only folders appear, links and secrets do not pass" {
	# /tmp is closed to mounts, so the folder is shown from elsewhere.
	target=$(mktemp -d /var/tmp/cell-sandbox.XXXXXX)
	closed=$target
	chmod 755 "$target"
	echo hello >"$target/file"
	chmod 666 "$target/file"
	ln -s /root "$target/link"
	manifest probe "[sandbox]
read-only = $target"
	sandbox "$dir/probe.cell" -- read "$target/file"
	[ "$output" = "read: allowed" ]
	sandbox "$dir/probe.cell" -- write "$target/file"
	[ "$output" = "write: EROFS" ]
	manifest probe "[sandbox]
read-only = $target/link"
	sandbox "$dir/probe.cell" -- read "$target/file"
	[ "$status" -eq 5 ]
	[[ "$output" = *"'/root' is closed to cells"* ]]
	manifest probe "[sandbox]
read-only = $target"
	CELL_RUNDIR=$target sandbox "$dir/probe.cell" -- read "$target/file"
	[ "$status" -eq 5 ]
	[[ "$output" = *"run directory"* ]]
	manifest probe "[sandbox]
read-only = $target/missing"
	sandbox "$dir/probe.cell" -- read "$target/file"
	[ "$status" -eq 3 ]
}

@test "as root, a tree in a closed folder works" {
	is_root || skip "not root"
	mkdir -m 700 "$dir/closed"
	cp "$probe" "$dir/closed/probe"
	cp "$dir/probe.cell" "$dir/closed"
	sandbox --state "$dir/closed/state" "$dir/closed/probe.cell" -- write /state/file
	[ "$output" = "write: allowed" ]
	[ -e "$dir/closed/state/file" ]
	# A program that only root may read is copied in.
	chmod 700 "$dir/closed/probe"
	sandbox --state "$dir/closed/state" "$dir/closed/probe.cell" -- read /state/file
	[ "$output" = "read: allowed" ] || [ "$output" = "read: EROFS" ]
	sandbox --no-sandbox --state "$dir/closed/state" "$dir/probe.cell" -- id
	[[ "$output" != *uid=0* ]]
}

@test "state of an earlier user is handed over, links in it are not followed" {
	is_root || skip "not root"
	mkdir -p "$dir/state/sub"
	echo x >"$dir/state/sub/file"
	echo x >"$dir/outside"
	ln -s "$dir/outside" "$dir/state/link"
	ln "$dir/outside" "$dir/state/hard"
	sandbox --user 4711 --state "$dir/state" "$dir/probe.cell" -- write /state/sub/file
	[ "$output" = "write: allowed" ]
	[ "$(stat -c %u "$dir/state/sub/file")" -eq 4711 ]
	[ "$(stat -c %u "$dir/outside")" -eq 0 ]
}

@test "the child's pid is reported" {
	"$dir/cell-sandbox" --node "$node" --status-fd 8 "$dir/probe.cell" -- id 8>"$dir/status"
	grep -q '"child-pid": [0-9]' "$dir/status"
	"$dir/cell-sandbox" --node "$node" --no-sandbox --status-fd 8 "$dir/probe.cell" -- id 8>"$dir/status"
	grep -q '"child-pid": [0-9]' "$dir/status"
}

@test "it dies with who started it" {
	mkfifo "$dir/fifo"
	for how in '' --no-sandbox; do
		# Its stderr is the pipe: end of file is the death of all that hold it.
		sh -c '
			"$0" "$@" 2>'"$dir/fifo"' &
			exec sleep 60' "$dir/cell-sandbox" --node "$node" $how --program /bin/sh \
			"$dir/probe.cell" -- -c 'echo is up >&2; exec sleep 60' 3>&- &
		starter=$!
		exec 7<"$dir/fifo"
		while read -r line <&7 && [ "$line" != "is up" ]; do :; done
		[ "$line" = "is up" ]
		kill -KILL "$starter"
		timeout 20 cat <&7
		exec 7<&-
	done
}

@test "--no-sandbox is loud, and still not root" {
	run "$dir/cell-sandbox" --node "$node" --no-sandbox "$dir/probe.cell" -- id
	[[ "$output" = *"level=warn cell=probe sub=sandbox event=no_sandbox"* ]]
	[[ "$output" != *uid=0* ]]
	[[ "$output" = *"NoNewPrivs:	1"* ]]
	run "$dir/cell-sandbox" --node "$node" --no-sandbox --state "$dir/state" "$dir/probe.cell" -- env
	[[ "$output" = *"CELL_STATEDIR=$dir/state"* ]]
	manifest probe '[limits]
files = 64'
	sandbox --no-sandbox --program /bin/sh "$dir/probe.cell" -- -c 'ulimit -n'
	[[ "$output" = *64 ]]
}

@test "--print shows the command and starts nothing" {
	sandbox --print --state "$dir/state" "$dir/probe.cell" -- "it's"
	[ "$status" -eq 0 ]
	[[ "$output" = *"--unshare-all"* ]]
	[[ "$output" = *"--bind $dir/state /state"* ]]
	[[ "$output" = *"-- /cell/probe 'it'\\''s'"* ]]
	[ -z "$(find /sys/fs/cgroup -type d -path "*/cell/$node" 2>/dev/null)" ]
}

@test "what is missing has a name and an exit code" {
	sandbox "$dir/missing.cell"
	[ "$status" -eq 3 ]
	rm "$dir/probe"
	sandbox "$dir/probe.cell"
	[ "$status" -eq 3 ]
	[[ "$output" = *"$dir/probe"* ]]
	manifest probe '[cell]
memroy = 1M'
	sandbox "$dir/probe.cell"
	[ "$status" -eq 2 ]
	[[ "$output" = *"probe.cell:2:1: "* ]]
	manifest probe ''
	run env PATH=/nowhere "$dir/cell-sandbox" --node "$node" "$dir/probe.cell"
	[ "$status" -eq 3 ]
	[[ "$output" = *"bubblewrap"*"--no-sandbox"* ]]
	sandbox
	[ "$status" -eq 2 ]
	sandbox --bogus
	[ "$status" -eq 2 ]
	sandbox "$dir/probe.cell" no-dashes
	[ "$status" -eq 2 ]
}

@test "without user namespaces it says why and names the way out" {
	is_root || skip "not root"
	# In a chroot nobody may make a user namespace.
	mkdir "$dir/root"
	in_chroot() {
		run unshare --mount --propagation private sh -c '
			mount --rbind / "$0" && exec chroot "$0" "$@"' "$dir/root" "$@"
	}
	in_chroot true
	[ "$status" -eq 0 ] || skip "no chroot here"
	in_chroot "$dir/cell-sandbox" --check
	[ "$status" -eq 5 ]
	[[ "$output" = *"user namespaces"*"--no-sandbox"* ]]
	in_chroot "$dir/cell-sandbox" --node "$node" "$dir/probe.cell" -- id
	[ "$status" -eq 5 ]
	[[ "$output" = *"user namespaces"*"--no-sandbox"* ]]
	in_chroot "$dir/cell-sandbox" --node "$node" --no-sandbox "$dir/probe.cell" -- id
	[ "$status" -eq 0 ]
}

@test "help fits a terminal" {
	sandbox --help
	[ "$status" -eq 0 ]
	[ "$(printf '%s\n' "$output" | awk '{ if (length($0) > 80) n++ } END { print n + 0 }')" -eq 0 ]
	[[ "$output" = *--no-sandbox* ]]
}
