/* The C that measured programs carry: one translation unit, written once a program. */
#pragma once

/* What every file with a measured function declares. It may stand there more than once. */
extern const char runtime_declarations[];

/* The unit; $hash$ stands for the hash of Telemetry/Record. */
extern const char runtime_unit[];
