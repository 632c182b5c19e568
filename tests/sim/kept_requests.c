#include "tests/sim/kept_requests.h"

#include <inttypes.h>

void kept_requests_done(struct kept_requests *kept)
{
	for (size_t i = 0; i < kept->n_slots; i++)
		bytes_done(&kept->slots[i]);
}

void kept_requests_clear(struct kept_requests *kept)
{
	kept->n_kept = 0;
	kept->next = 0;
}

void kept_requests_add(struct kept_requests *kept, const struct http_request *request,
		       uint64_t number)
{
	struct bytes *slot = &kept->slots[kept->next];

	if (kept->n_slots == 0)
		return;
	bytes_clear(slot);
	/* The method is the first thing of the request, and its head and body are one piece. */
	bytes_append(slot, request->method.data, request->total_size);
	kept->numbers[kept->next] = number;
	kept->next = (kept->next + 1) % kept->n_slots;
	if (kept->n_kept < kept->n_slots)
		kept->n_kept++;
}

static void print_request(const struct bytes *slot, uint64_t number, struct bytes *out)
{
	struct http_request request;

	if (http_request_parse((struct span) { slot->data, slot->size }, &request) !=
	    HTTP_REQUEST_COMPLETE)
		return;
	bytes_printf(out, "{\"number\": %" PRIu64 ", \"method\": ", number);
	bytes_json_repaired(out, request.method);
	bytes_text(out, ", \"path\": ");
	bytes_json_repaired(out, request.path);
	bytes_text(out, ", \"headers\": {");
	for (size_t i = 0; i < request.n_headers; i++) {
		bytes_text(out, i == 0 ? "" : ", ");
		bytes_json_repaired(out, request.headers[i].name);
		bytes_text(out, ": ");
		bytes_json_repaired(out, request.headers[i].value);
	}
	bytes_text(out, "}, \"body\": ");
	bytes_json_repaired(out, request.body);
	bytes_text(out, "}");
}

void kept_requests_print(const struct kept_requests *kept, size_t n, struct bytes *out)
{
	if (n > kept->n_kept)
		n = kept->n_kept;
	bytes_text(out, "{\"requests\": [");
	for (size_t i = 0; i < n; i++) {
		size_t slot = (kept->next + kept->n_slots - n + i) % kept->n_slots;

		bytes_text(out, i == 0 ? "" : ", ");
		print_request(&kept->slots[slot], kept->numbers[slot], out);
	}
	bytes_text(out, "]}");
}
