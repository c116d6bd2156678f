/*
 * telemetry: sums up what programs measure, and keeps the last spans of their calls.
 *
 * CELL_TELEMETRY_HTTP says where metrics are served for Prometheus; "off": nowhere. A cell
 * that cannot listen there serves everything else, and says so.
 */
#include "exposition.h"
#include "http.h"
#include "telemetry.cell.h"
#include "telemetry.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

/* The port that OpenTelemetry's Prometheus exporters use. */
#define HTTP_DEFAULT "127.0.0.1:9464"

static char *metrics_text(void *userdata, size_t *ret_len)
{
	struct telemetry *telemetry = userdata;

	return exposition_text(telemetry->metrics, ret_len);
}

static struct http *http_open(struct telemetry *telemetry, struct cell_call *call)
{
	const char *address = getenv("CELL_TELEMETRY_HTTP");
	struct cell_error err = { .code = 0 };
	struct http *http = NULL;
	char reason[160];

	if (!address || !*address)
		address = HTTP_DEFAULT;
	if (strcmp(address, "off") == 0) {
		(void)snprintf(telemetry->http, sizeof telemetry->http, "off");
	} else if (http_start(&http, cell_loop_ev(call), address, metrics_text, telemetry, &err)) {
		(void)snprintf(telemetry->http, sizeof telemetry->http, "%.150s", err.text);
		cell_log(CELL_LOG_WARN, "http", "http_off", "reason=\"%s\"",
			 cell_log_quote(reason, sizeof reason, err.text));
	} else {
		(void)snprintf(telemetry->http, sizeof telemetry->http, "%s", http_address(http));
	}
	return http;
}

int main(void)
{
	struct telemetry telemetry = { .metrics = metrics_new(), .traces = traces_new(SPANS_MAX) };
	struct cell_call *call = cell_open("telemetry");
	struct http *http = NULL;
	int err = 0;

	if (!telemetry.metrics || !telemetry.traces)
		err = cell_refuse(call, -ENOMEM, "no memory for metrics and spans");
	if (!err)
		err = cell_serve(call, &telemetry_service, &telemetry_handlers, &telemetry);
	if (!err)
		err = cell_provide_macros(call, &telemetry_provider, &telemetry);
	if (!err) {
		http = http_open(&telemetry, call);
		err = cell_loop_run(call);
	}
	http_stop(http);
	metrics_free(telemetry.metrics);
	traces_free(telemetry.traces);
	return cell_exit(call, err);
}
