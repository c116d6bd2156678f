/*
 * What all providers made, as one expansion: checked, wrappers around each other, in an order
 * that depends on nothing but what was asked. Pure.
 */
#pragma once

#include "plan.h"

/* Pieces, facts, files and so on of one provider: more is a mistake. */
#define CODE_ITEMS_MAX 4096

enum code_verdict {
	CODE_FINE,
	CODE_WRONG,    /* the error says what */
	CODE_NEEDS_ASM /* text of attribute *ret_attribute would be fine with ADDITION_ASM */
};

/*
 * Whether CODE, of PART for REQUEST, is what was planned, and text that may reach a compiler.
 * ASM_OK: ids of N attributes whose macro has announced ADDITION_ASM.
 */
enum code_verdict code_check(const struct macro_plan_request *request,
			     const struct plan_part *part,
			     const struct macro_generated_code *code, const uint32_t *asm_ok,
			     size_t n_asm_ok, uint32_t *ret_attribute, struct cell_error *err);

/*
 * Put CODES, one for each part and all checked, together. Diagnostics of providers are
 * taken, with their namespace. What is returned lives in ARENA and points into its
 * arguments. 0, -ENOMEM, or CELL_INTERNAL if two of them do not fit together.
 */
int code_merge(struct cell_arena *arena, const struct macro_plan_request *request,
	       const struct plan_part *parts, size_t n_parts, const struct plan_merged *merged,
	       const struct macro_generated_code *const *codes,
	       struct macro_generated_code *ret_code, struct cell_error *err);
