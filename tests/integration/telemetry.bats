#!/usr/bin/env bats
# Traces over two cells, metrics for Prometheus: from attributes to what people see.

load "$CELL_TOP/tests/lib/node"

setup() {
	! nm "$CELL_BUILD/lib/libcell.a" 2>/dev/null | grep -qE '__(asan|tsan|ubsan)' ||
		skip "what users build has no sanitizer"
	export CELL_TELEMETRY_HTTP=127.0.0.1:0
	node_start
	for cell in macro validate telemetry; do
		cell -q run $cell
	done
	mkdir -p "$dir/project/.cell"
	cp "$CELL_TOP"/tests/integration/bank/bank.* "$dir/project"
	cd "$dir/project" || return
	flags="-std=gnu2x -O1 -Wall -Wextra -Werror -I$CELL_BUILD/include -I$CELL_BUILD/gen"
	libs="$CELL_BUILD/lib/libcell-main.a $CELL_BUILD/lib/libcell.a -lev $(pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread"
	cellc $flags -o bank bank.c $libs
	cell -q run bank.cell
	cat >teller.c <<-'C'
		#include <cell/cell.h>

		[[cell::remote(bank = "bank")]];

		struct [[cell::message]] order { uint64_t account; int64_t amount; };
		struct [[cell::message]] answer { int64_t balance; };
		struct [[cell::service("teller")]] teller { int64_t served; };

		[[cell::handler, telemetry::span("at the counter"), telemetry::counter("orders_total", help = "Orders \"taken\""),
		  telemetry::histogram("order_seconds")]]
		static int pay(struct cell_call *call, struct teller *teller, const struct order *in, struct answer *out)
		{
			struct bank_receipt receipt;
			int err = bank_deposit(call, &(struct bank_deposit){ .account = in->account, .amount = in->amount }, &receipt);

			teller->served++;
			out->balance = receipt.balance;
			return err;
		}
	C
	printf '[cell]\nname = teller\nexec = teller\n[uses]\ntelemetry = app macro\nbank = app\n' >teller.cell
	echo '[project]
program = teller' >.cell/project
	cellc $flags -o teller teller.c $libs
	cell -q run teller.cell
}

teardown() {
	node_stop
}

# spans N: wait until the last trace has so many, and leave it in ./trace
spans() {
	until cell trace --json last >trace 2>/dev/null && [ "$(jq '.spans | length' trace)" -eq "$1" ]; do
		kill -0 "$core"
	done
}

@test "a call through two cells is one trace, parent and child" {
	[ "$(cell call teller pay '{"account": 1, "amount": 5}')" = '{"balance":"5"}' ]
	spans 2
	[ "$(jq -c '[.spans[] | [.name, .cell, .depth, .status]]' trace)" = '[["at the counter","teller",0,"OK"],["deposit","bank",1,"OK"]]' ]
	[ "$(jq -r '.spans[1].parent == .spans[0].span and .spans[0].parent == ""' trace)" = true ]
	[ "$(jq -r '.spans[0].duration_ns > .spans[1].duration_ns' trace)" = true ]
	run cell trace last
	[ "$status" -eq 0 ]
	[[ "${lines[-2]}" == "at the counter  teller  OK "* ]]
	[[ "${lines[-1]}" == "  deposit       bank    OK "*"="* ]]
	# What failed is listed as such.
	run cell call teller pay '{"account": 1}'
	[ "$status" -eq 2 ]
	until cell trace -f --json | jq -e 'length == 1' >/dev/null; do
		kill -0 "$core"
	done
	run cell trace ffff
	[ "$status" -eq 3 ]
}

@test "Prometheus reads what was counted" {
	for i in 1 2 3; do
		cell -q call teller pay '{"account": 1, "amount": 5}' >/dev/null
	done
	run cell call teller pay '{"account": 1}'
	[ "$status" -eq 2 ]
	until cell telemetry --json orders_total | jq -e '[.[].sum] | add == 4' >/dev/null; do
		kill -0 "$core"
	done
	address=$(cell telemetry --counts --json | jq -r .http)
	[[ $address == 127.0.0.1:[1-9]* ]]
	/usr/bin/python3 - "$address" <<-'E'
		import re, sys, urllib.request
		address = sys.argv[1]
		reply = urllib.request.urlopen(f"http://{address}/metrics", timeout=10)
		assert reply.status == 200 and reply.headers["Content-Type"].startswith("text/plain; version=0.0.4"), reply.headers
		text = reply.read().decode()
		assert text.endswith("\n")
		kinds, helps, samples = {}, {}, {}
		label = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
		for line in text.splitlines():
		    if line.startswith("# TYPE "):
		        _, _, name, kind = line.split(" ")
		        assert name not in kinds and kind in ("counter", "histogram"), line
		        kinds[name] = kind
		    elif line.startswith("# HELP "):
		        helps[line.split(" ", 3)[2]] = line.split(" ", 3)[3]
		    else:
		        sample = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(" + label + "(?:," + label + r")*),?\})? ([0-9.e+-]+|\+Inf|NaN)", line)
		        assert sample, line
		        labels = tuple(sorted(re.findall(label, sample[2] or "")))
		        assert (sample[1], labels) not in samples, line
		        base = re.sub(r"_(bucket|sum|count)$", "", sample[1])
		        assert kinds.get(sample[1]) == "counter" or kinds.get(base) == "histogram", line
		        samples[sample[1], labels] = float(sample[sample.re.groups])
		def of(name, **labels):
		    return samples[name, tuple(sorted(labels.items()))]
		assert helps["orders_total"] == 'Orders "taken"', helps
		assert of("orders_total", cell="teller", outcome="ok") == 3, samples
		assert of("orders_total", cell="teller", outcome="error") == 1, samples
		assert of("deposits_total", cell="bank", outcome="ok") == 3, samples
		assert of("order_seconds_count", cell="teller", outcome="ok") == 3, samples
		buckets = [(float(dict(labels)["le"]), n) for (name, labels), n in samples.items()
		           if name == "order_seconds_bucket" and dict(labels)["outcome"] == "ok"]
		assert [n for _, n in sorted(buckets)] == sorted(n for _, n in buckets), buckets
		assert sorted(buckets)[-1] == (float("inf"), 3), buckets
		assert 0 < of("order_seconds_sum", cell="teller", outcome="ok") < 60, samples
		for path in "/", "/etc/passwd", "/metrics/x":
		    try:
		        urllib.request.urlopen(f"http://{address}{path}", timeout=10)
		    except urllib.error.HTTPError as error:
		        assert error.code == 404, (path, error.code)
		    else:
		        raise AssertionError(path)
	E
}
