#!/bin/sh
# What `cell test` runs: a cart is sold whole or not at all, to one of those who want the last.
set -eu
cd "$(dirname "$0")/.."

fail() {
	printf 'not ok: %s\n' "$*" >&2
	exit 1
}

# shop METHOD REQUEST
shop() {
	cell call shop "$1" "$2"
}

# refused WORDS METHOD REQUEST: it is, with these words
refused() {
	said=$(shop "$2" "$3" 2>&1) && fail "$2 $3 was done: $said"
	case $said in *"$1"*) ;; *) fail "$2 $3: $said" ;; esac
}

# stock CODE: how many there are; a zero is not in what is answered
stock() {
	left=$(shop get_product "{\"code\": \"$1\"}" | sed -n 's/.*"stock": *"\{0,1\}\([0-9]*\).*/\1/p')
	echo "${left:-0}"
}

cell -q run .
shop create_customer '{"email": "ada@example.org", "name": "Ada"}' >/dev/null
refused 'email' create_customer '{"email": "ada@example.org", "name": "Another"}'
shop create_product '{"code": "tea", "price": 450, "stock": 10}' >/dev/null
shop create_product '{"code": "pot", "price": 2200, "stock": 1}' >/dev/null
refused 'price > 0' create_product '{"code": "air", "price": 0, "stock": 5}'

# A whole cart.
said=$(shop checkout '{"customer": 1, "items": [{"product": "tea", "pieces": 3}, {"product": "pot", "pieces": 1}]}')
case $said in *3550*) ;; *) fail "3 tea and a pot cost $said" ;; esac
[ "$(stock tea) $(stock pot)" = '7 0' ] || fail "there are $(stock tea) tea, $(stock pot) pots"

# Nothing of one that cannot be had.
refused 'stock >= 0' checkout '{"customer": 1, "items": [{"product": "tea", "pieces": 1}, {"product": "pot", "pieces": 1}]}'
refused 'product' checkout '{"customer": 1, "items": [{"product": "tea", "pieces": 1}, {"product": "cup", "pieces": 1}]}'
refused 'customer' checkout '{"customer": 77, "items": [{"product": "tea", "pieces": 1}]}'
refused 'pieces > 0' checkout '{"customer": 1, "items": [{"product": "tea", "pieces": -1}]}'
refused 'the cart is empty' checkout '{"customer": 1}'
[ "$(stock tea)" = 7 ] || fail "what was refused took tea: $(stock tea)"
[ "$(shop history '{"id": 1}' | grep -c product)" -eq 2 ] || fail "history: $(shop history '{"id": 1}')"

# Who is still in a bill stays.
refused 'line' delete_product '{"code": "tea"}'

# 10 want the last 7.
pids='' sold=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
	shop checkout '{"customer": 1, "items": [{"product": "tea", "pieces": 1}]}' >/dev/null 2>&1 &
	pids="$pids $!"
done
for pid in $pids; do
	if wait "$pid"; then sold=$((sold + 1)); fi
done
# Whoever lost five races is told to try again.
while shop checkout '{"customer": 1, "items": [{"product": "tea", "pieces": 1}]}' >/dev/null 2>&1; do
	sold=$((sold + 1))
done
[ "$sold $(stock tea)" = '7 0' ] || fail "$sold of 7 sold, $(stock tea) left"
echo 'ok: checkout'
