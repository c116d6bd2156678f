/*
 * What an object tells whoever links it: ELF notes in .note.cell. Which layout it has given
 * to a type whose fields are not all in the source; which translation units of their own and
 * which libraries its expansions need. The text of such a unit travels in the object, in
 * .note.cell.unit, which no program keeps.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTE_DIGEST_SIZE  32
#define NOTE_SECTION      ".note.cell"
#define NOTE_SECTION_UNIT ".note.cell.unit"

enum note_kind {
	NOTE_LAYOUT = 1, /* name: "struct account" */
	NOTE_UNIT = 2,   /* name: the unit's; words: of the compiler; text: C */
	NOTE_LINK = 3    /* name: "-lm" */
};

struct note {
	enum note_kind kind;
	const char *name;
	const char *source; /* that was compiled */
	const char *words;  /* one a line; "" = none */
	const char *text;   /* "" = none */
	uint8_t digest[NOTE_DIGEST_SIZE];
};

/* The digest of LEN bytes, for note.digest. */
void note_digest(uint8_t digest[NOTE_DIGEST_SIZE], const void *bytes, size_t len);

/*
 * C that puts the notes into the object it is compiled to; "" for none. Lives in ARENA; NULL
 * if that is exhausted.
 */
const char *note_source(const struct note *notes, size_t n, struct cell_arena *arena);

/* Called with each note; its strings point into the bytes. Anything but 0 ends the reading.
 */
typedef int note_fn(void *userdata, const struct note *note);

/*
 * Read the notes of a section's LEN bytes; those of other owners are left out. Returns 0,
 * what ON_NOTE returned, or -EPROTO if it makes no sense.
 */
int note_read(const void *bytes, size_t len, bool is_big_endian, note_fn *on_note,
	      void *userdata, struct cell_error *err);

/* Called with each object; MEMBER is its name in an archive, "" for an object alone. */
typedef int note_object_fn(void *userdata, const char *member, const uint8_t *bytes,
			   size_t len);

/* ELF: read the notes of one object or library. Other files have none: returns 0. */
int note_read_object(const uint8_t *bytes, size_t len, note_fn *on_note, void *userdata,
		     struct cell_error *err);

/* Whether BYTES are an archive's; then each object in it. Returns 0 or what ON_OBJECT did. */
bool note_is_archive(const uint8_t *bytes, size_t len);
int note_each_object(const uint8_t *bytes, size_t len, note_object_fn *on_object,
		     void *userdata);
