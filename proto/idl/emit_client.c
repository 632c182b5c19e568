/*
 * elluminate-methods.h and elluminate-methods.c: every method of every interface as functions of
 * the client library, in a blocking and an asynchronous form, and as a stream where `more` brings
 * more than one reply.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/idl/model.h"

static const char prologue[] =
	"/*\n"
	" * The methods of the daemon as functions. Generated from the interface's definition; include\n"
	" * elluminate.h, which says what they have in common.\n"
	" *\n"
	" * ellu_METHOD() blocks until the answer is there, ellu_METHOD_async() starts an operation.\n"
	" * ellu_METHOD_stream() starts a stream of which ellu_METHOD_next() gives the replies, and\n"
	" * ellu_METHOD_stream_async() gives them to the callback. For lists ellu_METHOD_next_item()\n"
	" * gives the items of a stream one by one.\n"
	" */\n"
	"#ifndef ELLUMINATE_METHODS_H\n"
	"#define ELLUMINATE_METHODS_H\n"
	"\n"
	"#include \"elluminate.h\"\n"
	"\n"
	"#ifdef __cplusplus\n"
	"extern \"C\" {\n"
	"#endif\n";

enum form {
	FORM_BLOCKING,
	FORM_ASYNC,
	FORM_STREAM,
	FORM_NEXT,
	FORM_NEXT_ITEM,
	FORM_STREAM_ASYNC,
	_FORM_MAX,
};

static bool has_form(const struct idl_method *method, enum form form)
{
	if (form == FORM_NEXT_ITEM)
		return strcmp(method->replies, "pages") == 0;
	return form <= FORM_ASYNC || (strcmp(method->replies, "pages") == 0 ||
					 strcmp(method->replies, "events") == 0);
}

/* What a list lists. */
static const char *item_type(const struct idl_method *method)
{
	for (size_t i = 0; i < method->reply.n_fields; i++)
		if (strcmp(method->reply.fields[i].name, "items") == 0)
			return method->reply.fields[i].type->record.name;
	fprintf(stderr, "%s: pages without items\n", method->name);
	exit(EXIT_FAILURE);
}

static void emit_signature(FILE *out, const struct idl_method *method, enum form form)
{
	static const char *const endings[_FORM_MAX] = {
		[FORM_BLOCKING] = "", [FORM_ASYNC] = "_async",
		[FORM_STREAM] = "_stream", [FORM_NEXT] = "_next",
		[FORM_NEXT_ITEM] = "_next_item", [FORM_STREAM_ASYNC] = "_stream_async",
	};

	fprintf(out, "int ellu_%s%s(", method->snake, endings[form]);
	if (form == FORM_NEXT || form == FORM_NEXT_ITEM)
		fputs("struct ellu_stream *stream", out);
	else
		fprintf(out, "struct ellu *handle, const struct ellu_%s_request *request",
			method->snake);
	switch (form) {
	case FORM_BLOCKING:
	case FORM_NEXT:
		fprintf(out,
			",\n\t\tconst struct ellu_%s_reply **ret,\n"
			"\t\tconst struct ellu_error **ret_error)",
			method->snake);
		break;
	case FORM_NEXT_ITEM:
		fprintf(out,
			",\n\t\tconst struct ellu_%s **ret,\n"
			"\t\tconst struct ellu_error **ret_error)",
			item_type(method));
		break;
	case FORM_STREAM:
		fputs(",\n\t\tstruct ellu_stream **ret)", out);
		break;
	default:
		fputs(",\n\t\tellu_reply_fn *callback, void *userdata, struct ellu_op **ret_op)",
		      out);
	}
}

void emit_client_header(FILE *out, const struct idl_model *model)
{
	fputs(prologue, out);
	for (size_t i = 0; i < model->n_interfaces; i++)
		for (size_t k = 0; k < model->interfaces[i].n_methods; k++) {
			const struct idl_method *method = &model->interfaces[i].methods[k];

			fputc('\n', out);
			emit_doc(out, "", method->doc);
			for (enum form form = 0; form < _FORM_MAX; form++)
				if (has_form(method, form)) {
					fputs("ELLU_API ", out);
					emit_signature(out, method, form);
					fputs(";\n", out);
				}
		}
	emit_header_end(out);
}

static void emit_body(FILE *out, const struct idl_interface *interface, size_t index,
		      enum form form)
{
	static const char *const calls[_FORM_MAX] = {
		[FORM_BLOCKING] = "call_blocking", [FORM_ASYNC] = "call_async",
		[FORM_STREAM] = "call_stream", [FORM_STREAM_ASYNC] = "call_async",
	};

	fputs("\n{\n\treturn ", out);
	if (form == FORM_NEXT || form == FORM_NEXT_ITEM) {
		fprintf(out, "%s(stream, (const void **) ret, ret_error);\n}\n",
			form == FORM_NEXT ? "ellu_stream_next" : "stream_next_item");
		return;
	}
	fprintf(out, "%s(handle, &%s_interface.methods[%zu], request,\n\t\t", calls[form],
		interface->snake, index);
	if (form == FORM_BLOCKING)
		fputs("(const void **) ret, ret_error", out);
	else if (form == FORM_STREAM)
		fputs("ret", out);
	else
		fprintf(out, "/* more= */ %s, callback, userdata, ret_op",
			form == FORM_STREAM_ASYNC ? "true" : "false");
	fputs(");\n}\n", out);
}

void emit_client_source(FILE *out, const struct idl_model *model)
{
	fputs("/* The methods of the daemon as functions. Generated from the interface files. */\n"
	      "#include \"client/operations/call.h\"\n"
	      "#include \"client/elluminate.h\"\n"
	      "#include \"proto/generated/interface.h\"\n",
	      out);
	for (size_t i = 0; i < model->n_interfaces; i++)
		for (size_t k = 0; k < model->interfaces[i].n_methods; k++)
			for (enum form form = 0; form < _FORM_MAX; form++)
				if (has_form(&model->interfaces[i].methods[k], form)) {
					fputc('\n', out);
					emit_signature(out, &model->interfaces[i].methods[k], form);
					emit_body(out, &model->interfaces[i], k, form);
				}
}
