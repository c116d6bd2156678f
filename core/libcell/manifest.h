/*
 * Manifests: `<name>.cell`, an INI file in the manner of a systemd unit, parsed into a
 * checked struct. cell-manifest(5) documents every key. Parsing touches no file but the
 * manifest itself, and decides nothing: whether the program, the user or another cell
 * exists is for those who start the cell.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cell/arena.h>
#include <cell/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a cell's name without the NUL; it is also a host name inside the sandbox. */
#define CELL_NAME_MAX 63
/* Bytes of a manifest: hundreds of lines, and small enough to hold for each of 1,000 cells.
 */
#define CELL_MANIFEST_MAX 65536
/* Words in one list of a manifest ([uses] lines, uids, mounts, …). */
#define CELL_MANIFEST_LIST_MAX 256

/* Whether NAME (NULL is not) matches [a-z][a-z0-9-]{0,62}. Checked at every border. */
bool cell_name_is_valid(const char *name);

/* ---- channels ------------------------------------------------------------------ */

/* A set of channels: bit c % 64 of bits[c / 64], as on the wire. Plain data, copy it. */
struct cell_channels {
	uint64_t bits[4];
};

#define CELL_CHANNELS_NONE ((struct cell_channels){ { 0, 0, 0, 0 } })
#define CELL_CHANNELS_ALL                                                                    \
	((struct cell_channels){ { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } })

static inline bool cell_channels_has(const struct cell_channels *set, uint8_t channel)
{
	return (set->bits[channel / 64] >> (channel % 64)) & 1;
}

static inline void cell_channels_set(struct cell_channels *set, uint8_t channel)
{
	set->bits[channel / 64] |= UINT64_C(1) << (channel % 64);
}

static inline bool cell_channels_is_empty(const struct cell_channels *set)
{
	return (set->bits[0] | set->bits[1] | set->bits[2] | set->bits[3]) == 0;
}

static inline struct cell_channels cell_channels_union(struct cell_channels a,
						       struct cell_channels b)
{
	for (int i = 0; i < 4; i++)
		a.bits[i] |= b.bits[i];
	return a;
}

static inline struct cell_channels cell_channels_intersect(struct cell_channels a,
							   struct cell_channels b)
{
	for (int i = 0; i < 4; i++)
		a.bits[i] &= b.bits[i];
	return a;
}

/* Room for any channel's name with its NUL. */
#define CELL_CHANNEL_NAME_MAX 16

/* "app", "consensus", "ops", "macro", or "0x80", in OUT, as a manifest spells it. */
const char *cell_channel_name(uint8_t channel, char out[CELL_CHANNEL_NAME_MAX]);

/* ---- the manifest ---------------------------------------------------------------- */

enum cell_start { CELL_START_DEMAND, CELL_START_BOOT };

enum cell_restart { CELL_RESTART_ON_FAILURE, CELL_RESTART_ALWAYS, CELL_RESTART_NEVER };

enum cell_network { CELL_NETWORK_NONE, CELL_NETWORK_HOST };

/* One line of [uses]: CELL may be called on CHANNELS. */
struct cell_manifest_use {
	const char *cell;
	struct cell_channels channels;
	unsigned line; /* where it was first said */
};

/* One word of `[serves] remote =`; "*" stands for any. */
struct cell_manifest_remote {
	const char *node;
	const char *cell;
};

/*
 * Everything in it is read-only, set (defaults included), and lives until
 * cell_manifest_free(). Lists of strings end with a NULL beyond their count.
 */
struct cell_manifest {
	struct cell_arena arena;
	const char *path; /* as given to read or parse */

	/* [cell] */
	const char *name;    /* valid by cell_name_is_valid() */
	const char *summary; /* one line; "" if not given */
	const char *version; /* "" if not given */
	const char *program; /* path to execute: absolute, or below the manifest's folder as
				given */
	const char **exec;   /* argument vector; exec[0] as written */
	size_t n_exec;
	enum cell_start start;
	enum cell_restart restart;
	uint32_t instances;     /* kept running: from boot, or once started on demand */
	uint32_t max_instances; /* at least `instances` */
	const char *user; /* NULL: the default. Never root. Only used when started by root */
	bool init;        /* bwrap's init is pid 1, and the program no libcell cell */
	uint64_t ready_timeout_ns;
	uint64_t drain_timeout_ns;
	uint64_t stop_timeout_ns; /* from TERM to KILL */

	/* [uses], without `*` */
	struct cell_manifest_use *uses;
	size_t n_uses;
	/* `* = …`: asks for every cell; counts only for cells the node's configuration trusts
	 */
	struct cell_channels uses_any;

	/* [serves] */
	bool serves_any_uid;
	const uint32_t *serves_uids; /* besides the node's own */
	size_t n_serves_uids;
	const struct cell_manifest_remote *serves_remotes;
	size_t n_serves_remotes;
	bool speaks_for_remote; /* its frames may carry a principal: the gateway */

	/* [limits]; 0 = none, where cell-manifest(5) allows `none` */
	uint64_t memory_bytes;
	uint32_t cpu_percent;     /* of one CPU; 200 is two */
	uint32_t tasks;           /* processes and threads */
	uint32_t files;           /* open descriptors */
	uint32_t connections;     /* per instance */
	uint64_t payload_bytes;   /* largest payload memfd it accepts */
	uint64_t call_timeout_ns; /* default deadline of its calls */

	/* [sandbox] */
	enum cell_network network;
	bool state;                   /* has a state directory */
	bool report_denied;           /* refused system calls are logged by libcell */
	const char *const *read_only; /* absolute paths, mounted at the same place */
	size_t n_read_only;
	const char *const *env; /* "NAME": passed on if set; "NAME=VALUE": set */
	size_t n_env;

	/* [macros] */
	bool provides_macros;          /* there is such a section */
	const char *const *namespaces; /* at least one if provides_macros */
	size_t n_namespaces;

	/* [log] */
	const char *log_level;   /* as $CELL_LOG; NULL if not given */
	uint32_t log_rate;       /* lines a second that are kept; 0 = all */
	uint64_t log_size_bytes; /* kept on disk before the oldest go */
};

/*
 * Read and check the manifest at PATH, or the LEN bytes at TEXT, where PATH_FOR_MESSAGES
 * stands in for the path (if it ends in ".cell", the cell must have the file's name).
 *
 * Returns 0 and the manifest; -errno if PATH cannot be read; CELL_INVALID_ARGUMENT if it is
 * wrong, the text of ERR being "path:line:column: what, and what may have been meant";
 * -ENOMEM.
 */
int cell_manifest_read(struct cell_manifest **ret, const char *path, struct cell_error *err);
int cell_manifest_parse(struct cell_manifest **ret, const char *text, size_t len,
			const char *path_for_messages, struct cell_error *err);

/* Accepts NULL. */
void cell_manifest_free(struct cell_manifest *manifest);
void cell_manifest_freep(struct cell_manifest **manifest);

/*
 * The channels on which [uses] lets this cell call CELL. TRUSTED says that the node's
 * configuration grants it `*`.
 */
struct cell_channels cell_manifest_uses(const struct cell_manifest *manifest,
					const char *cell, bool trusted);

/* Whether [serves] lets in outside programs of UID (besides the node's own, whom cellcore
 * knows). */
bool cell_manifest_serves_uid(const struct cell_manifest *manifest, uint32_t uid);

/* Whether `[serves] remote =` lets in CELL of node NODE. */
bool cell_manifest_serves_remote(const struct cell_manifest *manifest, const char *node,
				 const char *cell);

/*
 * Why PATH, absolute and as written, must not be mounted into a sandbox; NULL if it may.
 * Asked again of the resolved path when it is mounted.
 */
const char *cell_mount_refusal(const char *path);

/* ---- numbers as manifests and options spell them ---------------------------------- */

/*
 * "64M", "1G", "512", "1.5G": bytes, K M G being powers of 1024 ("64MiB" and "64MB" too).
 * Returns 0, -EINVAL if TEXT is no size, -ERANGE if it does not fit.
 */
int cell_size_parse(const char *text, uint64_t *ret_bytes);

/*
 * "250ms", "10s", "1.5s", "2m", "1h": a unit is required, except for "0".
 * Returns 0, -EINVAL or -ERANGE.
 */
int cell_duration_parse(const char *text, uint64_t *ret_ns);

#ifdef __cplusplus
}
#endif
