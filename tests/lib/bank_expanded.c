/* What the macros make of a bank: see tests/unit/macro/bank_test.c. */
#include <cell/cell.h>
#include <stdio.h>
#include <string.h>

enum status { STATUS_OPEN = 0, STATUS_CLOSED = 1 };

/* Money for an account. */
struct deposit {
	/* From 0 to 3. */
	uint32_t account;
	int64_t amount;
};

_Static_assert(sizeof(struct deposit) == 16 &&
	__builtin_offsetof(struct deposit, account) == 0 &&
	__builtin_offsetof(struct deposit, amount) == 8,
	"struct deposit is laid out otherwise than cellc saw it");
extern const struct cell_message_type cell_deposit_type;
size_t cell_deposit_bound(const void *message);
uint8_t *cell_deposit_encode(const void *message, uint8_t *out);
void cell_deposit_init(void *message);
const uint8_t *cell_deposit_merge(struct cell_decoder *d, const uint8_t *at,
		const uint8_t *end, void *message);

struct deposit_source;

/* In a handler: the client's next item, or NULL. It lives until the next. */
static inline __attribute__((unused)) struct deposit *deposit_recv(struct deposit_source *source)
{
	return (struct deposit *)cell_stream_recv((struct cell_stream *)source);
}

struct deposit_sink;

/* In a handler: send the client one more item. 0, or why there is no point. */
static inline __attribute__((unused)) int deposit_send(struct deposit_sink *sink,
		const struct deposit *item)
{
	return cell_stream_send((struct cell_stream *)sink, item);
}


struct receipt {
	int64_t balance;
	const char *owner;
	enum status status;
};

_Static_assert(sizeof(struct receipt) == 24 &&
	__builtin_offsetof(struct receipt, balance) == 0 &&
	__builtin_offsetof(struct receipt, owner) == 8 &&
	__builtin_offsetof(struct receipt, status) == 16,
	"struct receipt is laid out otherwise than cellc saw it");
extern const struct cell_message_type cell_receipt_type;
size_t cell_receipt_bound(const void *message);
uint8_t *cell_receipt_encode(const void *message, uint8_t *out);
void cell_receipt_init(void *message);
const uint8_t *cell_receipt_merge(struct cell_decoder *d, const uint8_t *at,
		const uint8_t *end, void *message);

struct receipt_source;

/* In a handler: the client's next item, or NULL. It lives until the next. */
static inline __attribute__((unused)) struct receipt *receipt_recv(struct receipt_source *source)
{
	return (struct receipt *)cell_stream_recv((struct cell_stream *)source);
}

struct receipt_sink;

/* In a handler: send the client one more item. 0, or why there is no point. */
static inline __attribute__((unused)) int receipt_send(struct receipt_sink *sink,
		const struct receipt *item)
{
	return cell_stream_send((struct cell_stream *)sink, item);
}


struct filter {
	bool has_min_balance;
	int64_t min_balance;
};

_Static_assert(sizeof(struct filter) == 16 &&
	__builtin_offsetof(struct filter, has_min_balance) == 0 &&
	__builtin_offsetof(struct filter, min_balance) == 8,
	"struct filter is laid out otherwise than cellc saw it");
extern const struct cell_message_type cell_filter_type;
size_t cell_filter_bound(const void *message);
uint8_t *cell_filter_encode(const void *message, uint8_t *out);
void cell_filter_init(void *message);
const uint8_t *cell_filter_merge(struct cell_decoder *d, const uint8_t *at,
		const uint8_t *end, void *message);

struct filter_source;

/* In a handler: the client's next item, or NULL. It lives until the next. */
static inline __attribute__((unused)) struct filter *filter_recv(struct filter_source *source)
{
	return (struct filter *)cell_stream_recv((struct cell_stream *)source);
}

struct filter_sink;

/* In a handler: send the client one more item. 0, or why there is no point. */
static inline __attribute__((unused)) int filter_send(struct filter_sink *sink,
		const struct filter *item)
{
	return cell_stream_send((struct cell_stream *)sink, item);
}


struct entry {
	uint32_t account;
	int64_t balance;
};

_Static_assert(sizeof(struct entry) == 16 &&
	__builtin_offsetof(struct entry, account) == 0 &&
	__builtin_offsetof(struct entry, balance) == 8,
	"struct entry is laid out otherwise than cellc saw it");
extern const struct cell_message_type cell_entry_type;
size_t cell_entry_bound(const void *message);
uint8_t *cell_entry_encode(const void *message, uint8_t *out);
void cell_entry_init(void *message);
const uint8_t *cell_entry_merge(struct cell_decoder *d, const uint8_t *at,
		const uint8_t *end, void *message);

struct entry_source;

/* In a handler: the client's next item, or NULL. It lives until the next. */
static inline __attribute__((unused)) struct entry *entry_recv(struct entry_source *source)
{
	return (struct entry *)cell_stream_recv((struct cell_stream *)source);
}

struct entry_sink;

/* In a handler: send the client one more item. 0, or why there is no point. */
static inline __attribute__((unused)) int entry_send(struct entry_sink *sink,
		const struct entry *item)
{
	return cell_stream_send((struct cell_stream *)sink, item);
}


struct report {
	size_t n_entries;
	const struct entry *entries;
	struct entry best;
	char currency[3];
	uint8_t seal[4];
	uint32_t months[3];
};

_Static_assert(sizeof(struct report) == 56 &&
	__builtin_offsetof(struct report, n_entries) == 0 &&
	__builtin_offsetof(struct report, entries) == 8 &&
	__builtin_offsetof(struct report, best) == 16 &&
	__builtin_offsetof(struct report, currency) == 32 &&
	__builtin_offsetof(struct report, seal) == 35 &&
	__builtin_offsetof(struct report, months) == 40,
	"struct report is laid out otherwise than cellc saw it");
extern const struct cell_message_type cell_report_type;
size_t cell_report_bound(const void *message);
uint8_t *cell_report_encode(const void *message, uint8_t *out);
void cell_report_init(void *message);
const uint8_t *cell_report_merge(struct cell_decoder *d, const uint8_t *at,
		const uint8_t *end, void *message);

struct report_source;

/* In a handler: the client's next item, or NULL. It lives until the next. */
static inline __attribute__((unused)) struct report *report_recv(struct report_source *source)
{
	return (struct report *)cell_stream_recv((struct cell_stream *)source);
}

struct report_sink;

/* In a handler: send the client one more item. 0, or why there is no point. */
static inline __attribute__((unused)) int report_send(struct report_sink *sink,
		const struct report *item)
{
	return cell_stream_send((struct cell_stream *)sink, item);
}


struct signature {
	uint64_t bytes;
	uint32_t sum;
};

_Static_assert(sizeof(struct signature) == 16 &&
	__builtin_offsetof(struct signature, bytes) == 0 &&
	__builtin_offsetof(struct signature, sum) == 8,
	"struct signature is laid out otherwise than cellc saw it");
extern const struct cell_message_type cell_signature_type;
size_t cell_signature_bound(const void *message);
uint8_t *cell_signature_encode(const void *message, uint8_t *out);
void cell_signature_init(void *message);
const uint8_t *cell_signature_merge(struct cell_decoder *d, const uint8_t *at,
		const uint8_t *end, void *message);

struct signature_source;

/* In a handler: the client's next item, or NULL. It lives until the next. */
static inline __attribute__((unused)) struct signature *signature_recv(struct signature_source *source)
{
	return (struct signature *)cell_stream_recv((struct cell_stream *)source);
}

struct signature_sink;

/* In a handler: send the client one more item. 0, or why there is no point. */
static inline __attribute__((unused)) int signature_send(struct signature_sink *sink,
		const struct signature *item)
{
	return cell_stream_send((struct cell_stream *)sink, item);
}


/* Keeps what people bring. */
struct bank {
	int64_t balances[4];
	uint64_t listings;
	bool is_open;
};


static int unlock(struct cell_call *call, struct bank *bank)
{
	(void)call;
	bank->is_open = true;
	return 0;
}


static int lock(struct cell_call *call, struct bank *bank)
{
	(void)call;
	bank->is_open = false;
	fputs("bank: locked\n", stderr);
	return 0;
}


/* Put money in.
Says what is there then. */
static int deposit(struct cell_call *call, struct bank *bank, const struct deposit *in, struct receipt *out)
{
	if (!bank->is_open)
		return cell_refuse(call, CELL_FAILED_PRECONDITION, "closed");
	if (in->amount <= 0)
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "amount %" PRId64 " is not positive", in->amount);
	if (in->account >= 4)
		return cell_refuse(call, CELL_NOT_FOUND, "no account with id %" PRIu32,
				   in->account);
	bank->balances[in->account] += in->amount;
	*out = (struct receipt){ .balance = bank->balances[in->account], .owner = "Ada" };
	return 0;
}


static int cell_span_deposit(struct cell_call *call, struct bank *bank, const struct deposit *in, struct receipt *out)
{
	int err = deposit(call, bank, in, out);

	cell_log(CELL_LOG_DEBUG, "trace", "span", "name=deposit err=%d", err);
	return err;
}

extern const struct cell_linked_method cell_method_bank_deposit;
static int cell_decode_bank_deposit(struct cell_call *call, void *self, const void *in,
		void *out)
{
	void *request = cell_request(call, &cell_method_bank_deposit.method, in);

	if (!request)
		return cell_error(call)->code;
	return cell_span_deposit(call, self, request, out);
}

static int cell_require_deposit(struct cell_call *call, void *self, const void *in,
		void *out)
{
	if (strcmp(cell_call_peer(call)->cell, "thief") == 0)
		return cell_refuse(call, CELL_PERMISSION_DENIED, "not for thief");
	return cell_decode_bank_deposit(call, self, in, out);
}

static int cell_run_bank_deposit(const void *handlers, struct cell_call *call, void *self,
		const void *in, void *out)
{
	(void)handlers;
	return cell_require_deposit(call, self, in, out);
}

static int list(struct cell_call *call, struct bank *bank, const struct filter *in, struct entry_sink *out)
{
	int err = 0;

	(void)call;
	bank->listings++;
	for (uint32_t i = 0; i < 4 && !err; i++)
		if (!in->has_min_balance || bank->balances[i] >= in->min_balance)
			err = entry_send(out, &(struct entry){ i, bank->balances[i] });
	return err;
}


extern const struct cell_linked_method cell_method_bank_list;
static int cell_decode_bank_list(struct cell_call *call, void *self, const void *in,
		void *out)
{
	void *request = cell_request(call, &cell_method_bank_list.method, in);

	if (!request)
		return cell_error(call)->code;
	return list(call, self, request, out);
}

static int cell_run_bank_list(const void *handlers, struct cell_call *call, void *self,
		const void *in, void *out)
{
	(void)handlers;
	return cell_decode_bank_list(call, self, in, out);
}

static int total(struct cell_call *call, struct deposit_source *in, struct receipt *out)
{
	struct deposit *next;

	(void)call;
	while ((next = deposit_recv(in)))
		out->balance += next->amount;
	out->owner = "all";
	return 0;
}


extern const struct cell_linked_method cell_method_bank_total;
static int cell_decode_bank_total(struct cell_call *call, void *self, const void *in,
		void *out)
{
	(void)self;
	return total(call, (struct deposit_source *)(uintptr_t)in, out);
}

static int cell_run_bank_total(const void *handlers, struct cell_call *call, void *self,
		const void *in, void *out)
{
	(void)handlers;
	return cell_decode_bank_total(call, self, in, out);
}

static int each(struct cell_call *call, struct deposit_source *in, struct entry_sink *out)
{
	struct deposit *next;
	int err = 0;

	(void)call;
	while (!err && (next = deposit_recv(in)))
		err = entry_send(out, &(struct entry){ next->account, -next->amount });
	return err;
}


extern const struct cell_linked_method cell_method_bank_each;
static int cell_decode_bank_each(struct cell_call *call, void *self, const void *in,
		void *out)
{
	(void)self;
	return each(call, (struct deposit_source *)(uintptr_t)in, out);
}

static int cell_run_bank_each(const void *handlers, struct cell_call *call, void *self,
		const void *in, void *out)
{
	(void)handlers;
	return cell_decode_bank_each(call, self, in, out);
}

static int bank_report(struct cell_call *call, struct bank *bank, struct report *out)
{
	struct entry *entries = cell_arena_calloc(cell_arena(call), 4, sizeof *entries);

	if (!entries)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory");
	for (uint32_t i = 0; i < 4; i++)
		entries[i] = (struct entry){ i, bank->balances[i] };
	*out = (struct report){ .n_entries = 4, .entries = entries, .best = entries[0],
				.currency = { 'E', 'U', 'R' } };
	return 0;
}


extern const struct cell_linked_method cell_method_bank_write;
static int cell_decode_bank_write(struct cell_call *call, void *self, const void *in,
		void *out)
{
	(void)in;
	return bank_report(call, self, out);
}

static int cell_run_bank_write(const void *handlers, struct cell_call *call, void *self,
		const void *in, void *out)
{
	(void)handlers;
	return cell_decode_bank_write(call, self, in, out);
}

static int sign(struct cell_call *call, const struct receipt *in, struct signature *out)
{
	size_t len;
	const uint8_t *bytes = cell_request_bytes(call, &len);

	out->bytes = len;
	for (size_t i = 0; i < len; i++)
		out->sum += bytes[i];
	return *in->owner ? 0 : cell_refuse(call, CELL_INVALID_ARGUMENT, "no owner");
}


extern const struct cell_linked_method cell_method_bank_sign;
static int cell_decode_bank_sign(struct cell_call *call, void *self, const void *in,
		void *out)
{
	void *request = cell_request(call, &cell_method_bank_sign.method, in);

	(void)self;
	if (!request)
		return cell_error(call)->code;
	return sign(call, request, out);
}

static int cell_run_bank_sign(const void *handlers, struct cell_call *call, void *self,
		const void *in, void *out)
{
	(void)handlers;
	return cell_decode_bank_sign(call, self, in, out);
}

static int nap(struct cell_call *call, const struct deposit *in)
{
	return cell_sleep_ms(call, (uint64_t)in->amount);
}


extern const struct cell_linked_method cell_method_bank_nap;
static int cell_decode_bank_nap(struct cell_call *call, void *self, const void *in,
		void *out)
{
	void *request = cell_request(call, &cell_method_bank_nap.method, in);

	(void)self;
	(void)out;
	if (!request)
		return cell_error(call)->code;
	return nap(call, request);
}

static int cell_run_bank_nap(const void *handlers, struct cell_call *call, void *self,
		const void *in, void *out)
{
	(void)handlers;
	return cell_decode_bank_nap(call, self, in, out);
}

static int odd(struct cell_call *call)
{
	(void)call;
	return 1;
}


extern const struct cell_linked_method cell_method_bank_odd;
static int cell_decode_bank_odd(struct cell_call *call, void *self, const void *in,
		void *out)
{
	(void)self;
	(void)in;
	(void)out;
	return odd(call);
}

static int cell_run_bank_odd(const void *handlers, struct cell_call *call, void *self,
		const void *in, void *out)
{
	(void)handlers;
	return cell_decode_bank_odd(call, self, in, out);
}

__attribute__((weak)) size_t cell_deposit_bound(const void *message)
{
	(void)message;
	return 17;
}

__attribute__((weak)) uint8_t *cell_deposit_encode(const void *message, uint8_t *out)
{
	const struct deposit *m = message;

	if (m->account) {
		*out++ = 8;
		out = cell_encode_uint32(out, m->account);
	}
	if (m->amount) {
		*out++ = 16;
		out = cell_encode_int64(out, m->amount);
	}
	return out;
}

__attribute__((weak)) void cell_deposit_init(void *message)
{
	*(struct deposit *)message = (struct deposit){ 0 };
}

static const char cell_deposit_names[] =
	"Deposit\0"
	"1:account "
	"2:amount ";

__attribute__((weak)) const uint8_t *cell_deposit_merge(struct cell_decoder *d,
		const uint8_t *at, const uint8_t *end, void *message)
{
	struct deposit *m = message;
	uint32_t tag;

	while (at < end) {
		tag = *at++;
		*d->late = 0;
		switch (tag) {
		case 8: /* account */
			at = cell_decode_uint32(at, end, &m->account);
			break;
		case 16: /* amount */
			at = cell_decode_int64(at, end, &m->amount);
			break;
		default:
			at = cell_decode_unknown(d, at, end, (uint8_t)tag);
			break;
		}
		if (CELL_UNLIKELY(!at))
			return cell_decode_fail(d, cell_deposit_names, tag);
	}
	return at;
}

static const uint8_t cell_deposit_descriptor[42] = {
	10,7,68,101,112,111,115,105,116,18,15,10,7,97,99,99,111,117,110,116,
	24,1,32,1,40,13,18,14,10,6,97,109,111,117,110,116,24,2,32,1,
	40,3,
};

static const char *const cell_deposit_docs[] = {
	"Money for an account.",
	"From 0 to 3.",
	(const char *)0,
};

static const struct cell_message_schema cell_deposit_schema = {
	.descriptor = cell_deposit_descriptor,
	.descriptor_len = sizeof cell_deposit_descriptor,
	.docs = cell_deposit_docs,
	.n_docs = 3,
};

static int cell_deposit_decode(void *message, const uint8_t *bytes, size_t len,
		unsigned flags, struct cell_arena *arena, struct cell_error *err)
{
	struct cell_decoder d;

	cell_decode_begin(&d, flags, arena, err);
	cell_deposit_init(message);
	if (!len)
		return 0;
	return cell_decode_end(&d, cell_deposit_merge(&d, bytes, bytes + len, message));
}

__attribute__((weak)) const struct cell_message_type cell_deposit_type = {
	.name = cell_deposit_names,
	.size = sizeof(struct deposit),
	.bound = cell_deposit_bound,
	.encode = cell_deposit_encode,
	.decode = cell_deposit_decode,
	.schema = &cell_deposit_schema,
	.shape = "1 uint32 account; 2 int64 amount",
};


__attribute__((weak)) size_t cell_receipt_bound(const void *message)
{
	const struct receipt *m = message;
	uint64_t size = 28;

	size += cell_bound_string(m->owner);
	return cell_bound_end(size);
}

__attribute__((weak)) uint8_t *cell_receipt_encode(const void *message, uint8_t *out)
{
	const struct receipt *m = message;

	if (m->balance) {
		*out++ = 8;
		out = cell_encode_int64(out, m->balance);
	}
	if (m->owner && *m->owner) {
		*out++ = 18;
		out = cell_encode_string(out, m->owner);
	}
	if (m->status) {
		*out++ = 24;
		out = cell_encode_int32(out, (int32_t)m->status);
	}
	return out;
}

__attribute__((weak)) void cell_receipt_init(void *message)
{
	*(struct receipt *)message = (struct receipt){
		.owner = "",
	};
}

static const char cell_receipt_names[] =
	"Receipt\0"
	"1:balance "
	"2:owner "
	"3:status ";

__attribute__((weak)) const uint8_t *cell_receipt_merge(struct cell_decoder *d,
		const uint8_t *at, const uint8_t *end, void *message)
{
	struct receipt *m = message;
	uint32_t tag;

	while (at < end) {
		tag = *at++;
		*d->late = 0;
		switch (tag) {
		case 8: /* balance */
			at = cell_decode_int64(at, end, &m->balance);
			break;
		case 18: /* owner */
			at = cell_decode_string(d, at, end, &m->owner);
			break;
		case 24: /* status */
			at = cell_decode_int32(at, end, (int32_t *)&m->status);
			break;
		default:
			at = cell_decode_unknown(d, at, end, (uint8_t)tag);
			break;
		}
		if (CELL_UNLIKELY(!at))
			return cell_decode_fail(d, cell_receipt_names, tag);
	}
	return at;
}

static const uint8_t cell_receipt_descriptor[65] = {
	10,7,82,101,99,101,105,112,116,18,15,10,7,98,97,108,97,110,99,101,
	24,1,32,1,40,3,18,13,10,5,111,119,110,101,114,24,2,32,1,40,
	9,18,22,10,6,115,116,97,116,117,115,24,3,32,1,40,14,50,6,83,
	116,97,116,117,115,
};

static const char *const cell_receipt_docs[] = {
	(const char *)0,
	(const char *)0,
	(const char *)0,
	(const char *)0,
};

static const uint8_t cell_receipt_enum_0_descriptor[44] = {
	10,6,83,116,97,116,117,115,18,15,10,11,83,84,65,84,85,83,95,79,
	80,69,78,16,0,18,17,10,13,83,84,65,84,85,83,95,67,76,79,83,
	69,68,16,1,
};

static const char *const cell_receipt_enum_0_docs[] = {
	(const char *)0,
	(const char *)0,
	(const char *)0,
};

static const struct cell_enum_schema cell_receipt_enum_0_schema = {
	.name = "Status",
	.descriptor = cell_receipt_enum_0_descriptor,
	.descriptor_len = sizeof cell_receipt_enum_0_descriptor,
	.docs = cell_receipt_enum_0_docs,
	.n_docs = 3,
};

static const struct cell_enum_schema *const cell_receipt_enums[] = {
	&cell_receipt_enum_0_schema,
};

static const struct cell_message_schema cell_receipt_schema = {
	.descriptor = cell_receipt_descriptor,
	.descriptor_len = sizeof cell_receipt_descriptor,
	.docs = cell_receipt_docs,
	.n_docs = 4,
	.enums = cell_receipt_enums,
	.n_enums = 1,
};

static int cell_receipt_decode(void *message, const uint8_t *bytes, size_t len,
		unsigned flags, struct cell_arena *arena, struct cell_error *err)
{
	struct cell_decoder d;

	cell_decode_begin(&d, flags, arena, err);
	cell_receipt_init(message);
	if (!len)
		return 0;
	return cell_decode_end(&d, cell_receipt_merge(&d, bytes, bytes + len, message));
}

__attribute__((weak)) const struct cell_message_type cell_receipt_type = {
	.name = cell_receipt_names,
	.size = sizeof(struct receipt),
	.bound = cell_receipt_bound,
	.encode = cell_receipt_encode,
	.decode = cell_receipt_decode,
	.schema = &cell_receipt_schema,
	.shape = "1 int64 balance; 2 string owner; 3 enum status",
};


__attribute__((weak)) size_t cell_filter_bound(const void *message)
{
	(void)message;
	return 11;
}

__attribute__((weak)) uint8_t *cell_filter_encode(const void *message, uint8_t *out)
{
	const struct filter *m = message;

	if (m->has_min_balance) {
		*out++ = 8;
		out = cell_encode_int64(out, m->min_balance);
	}
	return out;
}

__attribute__((weak)) void cell_filter_init(void *message)
{
	*(struct filter *)message = (struct filter){ 0 };
}

static const char cell_filter_names[] =
	"Filter\0"
	"1:min_balance ";

__attribute__((weak)) const uint8_t *cell_filter_merge(struct cell_decoder *d,
		const uint8_t *at, const uint8_t *end, void *message)
{
	struct filter *m = message;
	uint32_t tag;

	while (at < end) {
		tag = *at++;
		*d->late = 0;
		switch (tag) {
		case 8: /* min_balance */
			m->has_min_balance = true;
			at = cell_decode_int64(at, end, &m->min_balance);
			break;
		default:
			at = cell_decode_unknown(d, at, end, (uint8_t)tag);
			break;
		}
		if (CELL_UNLIKELY(!at))
			return cell_decode_fail(d, cell_filter_names, tag);
	}
	return at;
}

static const uint8_t cell_filter_descriptor[50] = {
	10,6,70,105,108,116,101,114,18,24,10,11,109,105,110,95,98,97,108,97,
	110,99,101,24,1,32,1,40,3,72,0,136,1,1,66,14,10,12,95,109,
	105,110,95,98,97,108,97,110,99,101,
};

static const char *const cell_filter_docs[] = {
	(const char *)0,
	(const char *)0,
};

static const struct cell_message_schema cell_filter_schema = {
	.descriptor = cell_filter_descriptor,
	.descriptor_len = sizeof cell_filter_descriptor,
	.docs = cell_filter_docs,
	.n_docs = 2,
};

static int cell_filter_decode(void *message, const uint8_t *bytes, size_t len,
		unsigned flags, struct cell_arena *arena, struct cell_error *err)
{
	struct cell_decoder d;

	cell_decode_begin(&d, flags, arena, err);
	cell_filter_init(message);
	if (!len)
		return 0;
	return cell_decode_end(&d, cell_filter_merge(&d, bytes, bytes + len, message));
}

__attribute__((weak)) const struct cell_message_type cell_filter_type = {
	.name = cell_filter_names,
	.size = sizeof(struct filter),
	.bound = cell_filter_bound,
	.encode = cell_filter_encode,
	.decode = cell_filter_decode,
	.schema = &cell_filter_schema,
	.shape = "1 optional int64 min_balance",
};


__attribute__((weak)) size_t cell_entry_bound(const void *message)
{
	(void)message;
	return 17;
}

__attribute__((weak)) uint8_t *cell_entry_encode(const void *message, uint8_t *out)
{
	const struct entry *m = message;

	if (m->account) {
		*out++ = 8;
		out = cell_encode_uint32(out, m->account);
	}
	if (m->balance) {
		*out++ = 16;
		out = cell_encode_int64(out, m->balance);
	}
	return out;
}

__attribute__((weak)) void cell_entry_init(void *message)
{
	*(struct entry *)message = (struct entry){ 0 };
}

static const char cell_entry_names[] =
	"Entry\0"
	"1:account "
	"2:balance ";

__attribute__((weak)) const uint8_t *cell_entry_merge(struct cell_decoder *d,
		const uint8_t *at, const uint8_t *end, void *message)
{
	struct entry *m = message;
	uint32_t tag;

	while (at < end) {
		tag = *at++;
		*d->late = 0;
		switch (tag) {
		case 8: /* account */
			at = cell_decode_uint32(at, end, &m->account);
			break;
		case 16: /* balance */
			at = cell_decode_int64(at, end, &m->balance);
			break;
		default:
			at = cell_decode_unknown(d, at, end, (uint8_t)tag);
			break;
		}
		if (CELL_UNLIKELY(!at))
			return cell_decode_fail(d, cell_entry_names, tag);
	}
	return at;
}

static const uint8_t cell_entry_descriptor[41] = {
	10,5,69,110,116,114,121,18,15,10,7,97,99,99,111,117,110,116,24,1,
	32,1,40,13,18,15,10,7,98,97,108,97,110,99,101,24,2,32,1,40,
	3,
};

static const char *const cell_entry_docs[] = {
	(const char *)0,
	(const char *)0,
	(const char *)0,
};

static const struct cell_message_schema cell_entry_schema = {
	.descriptor = cell_entry_descriptor,
	.descriptor_len = sizeof cell_entry_descriptor,
	.docs = cell_entry_docs,
	.n_docs = 3,
};

static int cell_entry_decode(void *message, const uint8_t *bytes, size_t len,
		unsigned flags, struct cell_arena *arena, struct cell_error *err)
{
	struct cell_decoder d;

	cell_decode_begin(&d, flags, arena, err);
	cell_entry_init(message);
	if (!len)
		return 0;
	return cell_decode_end(&d, cell_entry_merge(&d, bytes, bytes + len, message));
}

__attribute__((weak)) const struct cell_message_type cell_entry_type = {
	.name = cell_entry_names,
	.size = sizeof(struct entry),
	.bound = cell_entry_bound,
	.encode = cell_entry_encode,
	.decode = cell_entry_decode,
	.schema = &cell_entry_schema,
	.shape = "1 uint32 account; 2 int64 balance",
};


__attribute__((weak)) size_t cell_report_bound(const void *message)
{
	const struct report *m = message;
	uint64_t size = 40;

	for (size_t i = 0; i < m->n_entries && size <= CELL_MESSAGE_SIZE_MAX; i++)
		size += 6 + cell_bound_size(cell_entry_bound(&m->entries[i]));
	size += 6 + cell_bound_size(cell_entry_bound(&m->best));
	return cell_bound_end(size);
}

__attribute__((weak)) uint8_t *cell_report_encode(const void *message, uint8_t *out)
{
	const struct report *m = message;
	uint8_t *body;

	for (size_t i = 0; i < m->n_entries; i++) {
		*out++ = 10;
		body = out + 1;
		out = cell_encode_close(out, body, cell_entry_encode(&m->entries[i], body));
	}
	*out++ = 18;
	body = out + 1;
	out = cell_encode_close(out, body, cell_entry_encode(&m->best, body));
	if (m->currency[0]) {
		*out++ = 26;
		out = cell_encode_chars(out, m->currency, sizeof m->currency);
	}
	if (!cell_bytes_are_zero(m->seal, sizeof m->seal)) {
		*out++ = 34;
		out = cell_encode_bytes(out, m->seal, sizeof m->seal);
	}
	if (!cell_bytes_are_zero(m->months, sizeof m->months)) {
		*out++ = 42;
		out = cell_encode_packed_uint32(out, m->months, 3);
	}
	return out;
}

__attribute__((weak)) void cell_report_init(void *message)
{
	*(struct report *)message = (struct report){ 0 };
	cell_entry_init(&((struct report *)message)->best);
}

static const char cell_report_names[] =
	"Report\0"
	"1:entries "
	"2:best "
	"3:currency "
	"4:seal "
	"5:months ";

__attribute__((weak)) const uint8_t *cell_report_merge(struct cell_decoder *d,
		const uint8_t *at, const uint8_t *end, void *message)
{
	struct report *m = message;
	struct cell_list list;
	const uint8_t *stop = NULL;
	void *inner;
	size_t n_months = 0;
	uint32_t tag;

	while (at < end) {
		tag = *at++;
		*d->late = 0;
		switch (tag) {
		case 10: /* entries */
			list.n = m->n_entries;
			list.items = (void *)m->entries;
			if (!cell_decode_room(d, &list, sizeof *m->entries, at, end, tag))
				at = NULL;
			else
				at = cell_decode_length(d, at, end, &stop);
			if (at) {
				inner = &((struct entry *)list.items)[list.n++];
				cell_entry_init(inner);
				at = cell_entry_merge(d, at, stop, inner);
			}
			m->n_entries = list.n;
			m->entries = list.items;
			break;
		case 18: /* best */
			at = cell_decode_length(d, at, end, &stop);
			if (at)
				at = cell_entry_merge(d, at, stop, &m->best);
			break;
		case 26: /* currency */
			at = cell_decode_chars(d, at, end, m->currency, sizeof m->currency);
			break;
		case 34: /* seal */
			at = cell_decode_block(d, at, end, m->seal, sizeof m->seal);
			break;
		case 40: /* months */
			if (n_months < 3)
				at = cell_decode_uint32(at, end, &m->months[n_months]);
			else
				at = cell_decode_not_n(d);
			n_months++;
			break;
		case 42: /* months */
			list.n = 0;
			list.items = NULL;
			at = cell_decode_packed_uint32(d, at, end, &list);
			if (at)
				at = cell_decode_array(d, at, &list, m->months, sizeof m->months[0],
					3, &n_months);
			break;
		default:
			at = cell_decode_unknown(d, at, end, (uint8_t)tag);
			break;
		}
		if (CELL_UNLIKELY(!at))
			return cell_decode_fail(d, cell_report_names, tag);
	}
	if (n_months && n_months != 3) {
		(void)cell_decode_not_n(d);
		return cell_decode_fail(d, cell_report_names, 42);
	}
	return at;
}

static const uint8_t cell_report_descriptor[101] = {
	10,6,82,101,112,111,114,116,18,22,10,7,101,110,116,114,105,101,115,24,
	1,32,3,40,11,50,5,69,110,116,114,121,18,19,10,4,98,101,115,116,
	24,2,32,1,40,11,50,5,69,110,116,114,121,18,16,10,8,99,117,114,
	114,101,110,99,121,24,3,32,1,40,9,18,12,10,4,115,101,97,108,24,
	4,32,1,40,12,18,14,10,6,109,111,110,116,104,115,24,5,32,3,40,
	13,
};

static const char *const cell_report_docs[] = {
	(const char *)0,
	(const char *)0,
	(const char *)0,
	(const char *)0,
	(const char *)0,
	(const char *)0,
};

static const struct cell_message_type *const cell_report_uses[] = {
	&cell_entry_type,
};

static const struct cell_message_schema cell_report_schema = {
	.descriptor = cell_report_descriptor,
	.descriptor_len = sizeof cell_report_descriptor,
	.docs = cell_report_docs,
	.n_docs = 6,
	.messages = cell_report_uses,
	.n_messages = 1,
};

static const struct cell_message_type *const cell_report_parts[] = {
	&cell_entry_type,
	&cell_entry_type,
};

static int cell_report_decode(void *message, const uint8_t *bytes, size_t len,
		unsigned flags, struct cell_arena *arena, struct cell_error *err)
{
	struct cell_decoder d;

	cell_decode_begin(&d, flags, arena, err);
	cell_report_init(message);
	if (!len)
		return 0;
	return cell_decode_end(&d, cell_report_merge(&d, bytes, bytes + len, message));
}

__attribute__((weak)) const struct cell_message_type cell_report_type = {
	.name = cell_report_names,
	.size = sizeof(struct report),
	.bound = cell_report_bound,
	.encode = cell_report_encode,
	.decode = cell_report_decode,
	.schema = &cell_report_schema,
	.shape = "1 repeated message entries; 2 message best; 3 string currency; 4 bytes seal; 5 repeated uint32 months",
	.parts = cell_report_parts,
};


__attribute__((weak)) size_t cell_signature_bound(const void *message)
{
	(void)message;
	return 17;
}

__attribute__((weak)) uint8_t *cell_signature_encode(const void *message, uint8_t *out)
{
	const struct signature *m = message;

	if (m->bytes) {
		*out++ = 8;
		out = cell_encode_uint64(out, m->bytes);
	}
	if (m->sum) {
		*out++ = 16;
		out = cell_encode_uint32(out, m->sum);
	}
	return out;
}

__attribute__((weak)) void cell_signature_init(void *message)
{
	*(struct signature *)message = (struct signature){ 0 };
}

static const char cell_signature_names[] =
	"Signature\0"
	"1:bytes "
	"2:sum ";

__attribute__((weak)) const uint8_t *cell_signature_merge(struct cell_decoder *d,
		const uint8_t *at, const uint8_t *end, void *message)
{
	struct signature *m = message;
	uint32_t tag;

	while (at < end) {
		tag = *at++;
		*d->late = 0;
		switch (tag) {
		case 8: /* bytes */
			at = cell_decode_uint64(at, end, &m->bytes);
			break;
		case 16: /* sum */
			at = cell_decode_uint32(at, end, &m->sum);
			break;
		default:
			at = cell_decode_unknown(d, at, end, (uint8_t)tag);
			break;
		}
		if (CELL_UNLIKELY(!at))
			return cell_decode_fail(d, cell_signature_names, tag);
	}
	return at;
}

static const uint8_t cell_signature_descriptor[39] = {
	10,9,83,105,103,110,97,116,117,114,101,18,13,10,5,98,121,116,101,115,
	24,1,32,1,40,4,18,11,10,3,115,117,109,24,2,32,1,40,13,
};

static const char *const cell_signature_docs[] = {
	(const char *)0,
	(const char *)0,
	(const char *)0,
};

static const struct cell_message_schema cell_signature_schema = {
	.descriptor = cell_signature_descriptor,
	.descriptor_len = sizeof cell_signature_descriptor,
	.docs = cell_signature_docs,
	.n_docs = 3,
};

static int cell_signature_decode(void *message, const uint8_t *bytes, size_t len,
		unsigned flags, struct cell_arena *arena, struct cell_error *err)
{
	struct cell_decoder d;

	cell_decode_begin(&d, flags, arena, err);
	cell_signature_init(message);
	if (!len)
		return 0;
	return cell_decode_end(&d, cell_signature_merge(&d, bytes, bytes + len, message));
}

__attribute__((weak)) const struct cell_message_type cell_signature_type = {
	.name = cell_signature_names,
	.size = sizeof(struct signature),
	.bound = cell_signature_bound,
	.encode = cell_signature_encode,
	.decode = cell_signature_decode,
	.schema = &cell_signature_schema,
	.shape = "1 uint64 bytes; 2 uint32 sum",
};


__attribute__((weak)) const struct cell_linked_service cell_service_bank = {
	.linked = { CELL_LINKED_SERVICE, sizeof(struct cell_linked_service) },
	.service = "bank",
	.state_size = sizeof(struct bank),
	.doc = "Keeps what people bring.",
};
CELL_LINK(cell_service_bank_link, cell_service_bank);

static int cell_start_unlock(struct cell_call *call, void *self)
{
	return unlock(call, self);
}

static const struct cell_linked_hook cell_start_unlock_hook = {
	.linked = { CELL_LINKED_START, sizeof(struct cell_linked_hook) },
	.service = "bank",
	.name = "unlock",
	.run = cell_start_unlock,
};
CELL_LINK(cell_start_unlock_link, cell_start_unlock_hook);

static int cell_stop_lock(struct cell_call *call, void *self)
{
	return lock(call, self);
}

static const struct cell_linked_hook cell_stop_lock_hook = {
	.linked = { CELL_LINKED_STOP, sizeof(struct cell_linked_hook) },
	.service = "bank",
	.name = "lock",
	.run = cell_stop_lock,
};
CELL_LINK(cell_stop_lock_link, cell_stop_lock_hook);

const struct cell_linked_method cell_method_bank_deposit = {
	.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },
	.service = "bank",
	.method = {
		.name = "Deposit",
		.full_name = "cell.bank.v1.Bank/Deposit",
		.hash = 0xb6f16e87u,
		.flags = CELL_METHOD_UNDECODED,
		.channel = CELL_CHANNEL_APP,
		.in = &cell_deposit_type,
		.out = &cell_receipt_type,
	},
	.invoke = cell_run_bank_deposit,
	.doc = "Put money in.\nSays what is there then.",
};
CELL_LINK(cell_method_bank_deposit_link, cell_method_bank_deposit);

const struct cell_linked_method cell_method_bank_list = {
	.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },
	.service = "bank",
	.method = {
		.name = "List",
		.full_name = "cell.bank.v1.Bank/List",
		.hash = 0x13b4d0abu,
		.flags = CELL_METHOD_UNDECODED | CELL_METHOD_SERVER_STREAM | CELL_METHOD_IDEMPOTENT,
		.channel = CELL_CHANNEL_APP,
		.in = &cell_filter_type,
		.out = &cell_entry_type,
	},
	.invoke = cell_run_bank_list,
	.doc = (const char *)0,
};
CELL_LINK(cell_method_bank_list_link, cell_method_bank_list);

const struct cell_linked_method cell_method_bank_total = {
	.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },
	.service = "bank",
	.method = {
		.name = "Total",
		.full_name = "cell.bank.v1.Bank/Total",
		.hash = 0x1a49a863u,
		.flags = CELL_METHOD_UNDECODED | CELL_METHOD_CLIENT_STREAM,
		.channel = CELL_CHANNEL_APP,
		.in = &cell_deposit_type,
		.out = &cell_receipt_type,
	},
	.invoke = cell_run_bank_total,
	.doc = (const char *)0,
};
CELL_LINK(cell_method_bank_total_link, cell_method_bank_total);

const struct cell_linked_method cell_method_bank_each = {
	.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },
	.service = "bank",
	.method = {
		.name = "Each",
		.full_name = "cell.bank.v1.Bank/Each",
		.hash = 0x1197cba2u,
		.flags = CELL_METHOD_UNDECODED | CELL_METHOD_CLIENT_STREAM | CELL_METHOD_SERVER_STREAM,
		.channel = CELL_CHANNEL_APP,
		.in = &cell_deposit_type,
		.out = &cell_entry_type,
	},
	.invoke = cell_run_bank_each,
	.doc = (const char *)0,
};
CELL_LINK(cell_method_bank_each_link, cell_method_bank_each);

const struct cell_linked_method cell_method_bank_write = {
	.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },
	.service = "bank",
	.method = {
		.name = "Write",
		.full_name = "cell.bank.v1.Bank/Write",
		.hash = 0x1273d1f6u,
		.flags = CELL_METHOD_UNDECODED | CELL_METHOD_IDEMPOTENT,
		.channel = CELL_CHANNEL_APP,
		.in = &cell_empty_type,
		.out = &cell_report_type,
	},
	.invoke = cell_run_bank_write,
	.doc = (const char *)0,
};
CELL_LINK(cell_method_bank_write_link, cell_method_bank_write);

const struct cell_linked_method cell_method_bank_sign = {
	.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },
	.service = "bank",
	.method = {
		.name = "Sign",
		.full_name = "cell.bank.v1.Bank/Sign",
		.hash = 0x448fb2eeu,
		.flags = CELL_METHOD_UNDECODED | CELL_METHOD_RAW,
		.channel = CELL_CHANNEL_APP,
		.in = &cell_receipt_type,
		.out = &cell_signature_type,
	},
	.invoke = cell_run_bank_sign,
	.doc = (const char *)0,
};
CELL_LINK(cell_method_bank_sign_link, cell_method_bank_sign);

const struct cell_linked_method cell_method_bank_nap = {
	.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },
	.service = "bank",
	.method = {
		.name = "Nap",
		.full_name = "cell.bank.v1.Bank/Nap",
		.hash = 0x950093d6u,
		.flags = CELL_METHOD_UNDECODED,
		.channel = CELL_CHANNEL_APP,
		.in = &cell_deposit_type,
		.out = &cell_empty_type,
	},
	.invoke = cell_run_bank_nap,
	.doc = (const char *)0,
};
CELL_LINK(cell_method_bank_nap_link, cell_method_bank_nap);

const struct cell_linked_method cell_method_bank_odd = {
	.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },
	.service = "bank",
	.method = {
		.name = "Odd",
		.full_name = "cell.bank.v1.Bank/Odd",
		.hash = 0x1812c32cu,
		.flags = CELL_METHOD_UNDECODED,
		.channel = CELL_CHANNEL_APP,
		.in = &cell_empty_type,
		.out = &cell_empty_type,
	},
	.invoke = cell_run_bank_odd,
	.doc = (const char *)0,
};
CELL_LINK(cell_method_bank_odd_link, cell_method_bank_odd);

