/*
 * Planned against expanded, for the provider itself and for the macro cell, which believes
 * nobody. Pure.
 */
#pragma once

#include <cell/error.h>
#include <macro.cell.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Whether CODE adds what PLAN says and nothing else, both of one provider for REQUEST: names
 * that its text declares are planned or start with cell_ or CELL_, each planned field, wrapper,
 * body and fact is there, states that it depends on were to be read.
 *
 * Returns 0, or CELL_INTERNAL naming macro and symbol.
 */
int cell_macro_check(const struct macro_plan_request *request, const struct macro_plan *plan,
		     const struct macro_generated_code *code, struct cell_error *err);

/*
 * Whether PIECE, of whichever provider, declares what PLAN (which may be of all providers
 * together) names for REQUEST, and no other name. Returns 0, or CELL_INTERNAL: "MACRO: line …".
 */
int cell_macro_check_names(const struct macro_plan_request *request, const struct macro_plan *plan,
			   const struct macro_piece *piece, struct cell_error *err);

#ifdef __cplusplus
}
#endif
