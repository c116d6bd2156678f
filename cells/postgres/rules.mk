# pg*.c are the place that sees libpq; the others that wait, wait for it.
postgres_PKGS := libpq
postgres_IMPURE := pg pg_connect pg_statement catalog commit twophase
