/* shop: customers buy products. A whole cart is sold at the prices of the moment, or nothing. */
#include <cell/cell.h>

[[cell::service("shop")]];

struct [[cell::message, db::table, db::crud]] customer {
	[[db::key, db::serial]]     uint64_t    id;
	[[db::unique]]              const char *email;
	                            const char *name;
};

struct [[cell::message, db::table, db::crud]] product {
	[[db::key]]                 const char *code;
	[[db::check(price > 0)]]    int64_t     price; /* cents */
	[[db::check(stock >= 0)]]   int64_t     stock;
};

struct [[db::table]] purchase {
	[[db::key, db::serial]]     uint64_t    id;
	[[db::index, db::ref("customer")]] uint64_t customer;
	[[db::default(now())]]      int64_t     placed_at;
};

struct [[db::table]] line {
	[[db::key, db::ref("purchase", on_delete = cascade)]] uint64_t purchase;
	[[db::key, db::ref("product")]] const char *product;
	[[db::check(pieces > 0)]]   int64_t     pieces;
	                            int64_t     price; /* of that day */
	[[db::computed(pieces * price)]] int64_t total;
};

struct [[cell::message]] item  { const char *product; int64_t pieces; };
struct [[cell::message]] cart  { uint64_t customer; size_t n_items; const struct item *items; };
struct [[cell::message]] bill  { uint64_t purchase; int64_t total; };
struct [[cell::message]] entry { uint64_t purchase; const char *product; int64_t pieces, total; };

/* Checks and references of the tables refuse what cannot be; then nothing of it stays. */
[[cell::handler, db::atomic]]
static int checkout(struct cell_call *call, const struct cart *in, struct bill *out)
{
	struct purchase purchase = { .customer = in->customer };
	int err = in->n_items ? purchase_insert(call, &purchase)
			      : cell_refuse(call, CELL_INVALID_ARGUMENT, "the cart is empty");

	for (const struct item *item = in->items; !err && item < in->items + in->n_items; item++) {
		struct product product;

		if ((err = product_get(call, item->product, &product)))
			break;
		product.stock -= item->pieces;
		out->total += item->pieces * product.price;
		err = product_update(call, &product);
		err = err ? err : line_insert(call, &(struct line){ purchase.id, item->product, item->pieces, product.price, 0 });
	}
	out->purchase = purchase.id;
	return err;
}

[[cell::handler(idempotent = true)]]
static int history(struct cell_call *call, const struct customer *in, struct entry_sink *out)
{
	struct purchase_cursor purchases = purchase_by_customer(call, in->id);
	int err = 0;

	for (struct purchase *p; !err && (p = purchase_next(&purchases)); ) {
		struct line_cursor lines = line_each_of_purchase(call, p->id);

		for (struct line *l; !err && (l = line_next(&lines)); )
			err = entry_send(out, &(struct entry){ p->id, l->product, l->pieces, l->total });
		err = err ? err : line_end(&lines);
	}
	return err ? err : purchase_end(&purchases);
}
