/*
 * elluminate-methods.h: every method of every interface as functions, each a few lines over the few
 * that the library exports, so that a method more is no symbol more.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/idl/model.h"

const char client_manual[] =
	"ellu_METHOD() blocks until the answer is there, ellu_METHOD_async() starts an operation, whose\n"
	"callback is an ellu_METHOD_fn, and of which ellu_METHOD_result() gives what came last;\n"
	"ellu_METHOD_set_callback() gives it another callback. ellu_METHOD_await() is ellu_await() for\n"
	"the method.\n"
	"\n"
	"ellu_METHOD_stream() starts a stream of which ellu_METHOD_next() gives the replies, and\n"
	"ellu_METHOD_stream_async() gives them to the callback. For lists ellu_METHOD_next_item()\n"
	"gives the items of a stream one by one.\n"
	"\n"
	"The request may be NULL where it needs nothing.";

static const char prologue[] =
	"/*\n"
	" * The methods of the daemon as functions. Generated from the interface's definition; include\n"
	" * elluminate.h, which says what they have in common.\n"
	" *\n"
	" * elluminate-methods(3) has their forms.\n"
	" */\n"
	"#ifndef ELLUMINATE_METHODS_H\n"
	"#define ELLUMINATE_METHODS_H\n"
	"\n"
	"#include \"elluminate.h\"\n"
	"\n"
	"#ifdef __cplusplus\n"
	"extern \"C\" {\n"
	"#endif\n";

/* What stands for these in a template: the method's name in C, its qualified name, and the type of the
 * items that it lists. */
#define METHOD_MARK '%'
#define NAME_MARK '$'
#define ITEM_MARK '@'

/* Of every method. */
static const char call_forms[] =
	"typedef void ellu_%_fn(struct ellu_op *op, int result,\n"
	"\t\tconst struct ellu_%_reply *reply, const struct ellu_error *error, void *userdata);\n"
	"static inline int ellu_%(struct ellu *handle, const struct ellu_%_request *request,\n"
	"\t\tconst struct ellu_%_reply **ret, const struct ellu_error **ret_error)\n"
	"{\n"
	"\tconst void *reply = NULL;\n"
	"\tint r = ellu_call_method(handle, \"$\", request, ret ? &reply : NULL, ret_error);\n"
	"\n"
	"\tif (r >= 0 && ret)\n"
	"\t\t*ret = (const struct ellu_%_reply *) reply;\n"
	"\treturn r;\n"
	"}\n"
	"static inline void ellu_%_deliver_(ellu_any_fn *callback, struct ellu_op *op, int result,\n"
	"\t\tconst void *reply, const struct ellu_error *error, void *userdata)\n"
	"{\n"
	"\t((ellu_%_fn *) callback)(op, result, (const struct ellu_%_reply *) reply, error, userdata);\n"
	"}\n"
	"static inline int ellu_%_async(struct ellu *handle, const struct ellu_%_request *request,\n"
	"\t\tellu_%_fn *callback, void *userdata, struct ellu_op **ret_op)\n"
	"{\n"
	"\treturn ellu_call_method_async(handle, \"$\", request, ellu_%_deliver_,\n"
	"\t\t(ellu_any_fn *) callback, userdata, ret_op);\n"
	"}\n"
	"static inline int ellu_%_set_callback(struct ellu_op *op, ellu_%_fn *callback, void *userdata)\n"
	"{\n"
	"\treturn ellu_op_deliver_to(op, ellu_%_deliver_, (ellu_any_fn *) callback, userdata);\n"
	"}\n"
	"static inline int ellu_%_result(const struct ellu_op *op, const struct ellu_%_reply **ret,\n"
	"\t\tconst struct ellu_error **ret_error)\n"
	"{\n"
	"\tconst void *reply = NULL;\n"
	"\tint r = ellu_op_result(op, ret ? &reply : NULL, ret_error);\n"
	"\n"
	"\tif (ret)\n"
	"\t\t*ret = (const struct ellu_%_reply *) reply;\n"
	"\treturn r;\n"
	"}\n"
	"static inline int ellu_%_await(struct ellu *handle, ellu_start_fn *start, void *userdata,\n"
	"\t\tdouble timeout_seconds, const struct ellu_%_reply **ret,\n"
	"\t\tconst struct ellu_error **ret_error)\n"
	"{\n"
	"\tconst void *reply = NULL;\n"
	"\tint r = ellu_await(handle, start, userdata, timeout_seconds, ret ? &reply : NULL, ret_error);\n"
	"\n"
	"\tif (r >= 0 && ret)\n"
	"\t\t*ret = (const struct ellu_%_reply *) reply;\n"
	"\treturn r;\n"
	"}\n";

/* Of those of which `more` brings more than one reply. */
static const char stream_forms[] =
	"static inline int ellu_%_stream(struct ellu *handle, const struct ellu_%_request *request,\n"
	"\t\tstruct ellu_stream **ret, const struct ellu_error **ret_error)\n"
	"{\n"
	"\treturn ellu_stream_method(handle, \"$\", request, ret, ret_error);\n"
	"}\n"
	"static inline int ellu_%_next(struct ellu_stream *stream, const struct ellu_%_reply **ret,\n"
	"\t\tconst struct ellu_error **ret_error)\n"
	"{\n"
	"\tconst void *reply = NULL;\n"
	"\tint r = ellu_stream_next(stream, ret ? &reply : NULL, ret_error);\n"
	"\n"
	"\tif (r > 0)\n"
	"\t\t*ret = (const struct ellu_%_reply *) reply;\n"
	"\treturn r;\n"
	"}\n"
	"static inline int ellu_%_stream_async(struct ellu *handle,\n"
	"\t\tconst struct ellu_%_request *request, ellu_%_fn *callback, void *userdata,\n"
	"\t\tstruct ellu_op **ret_op)\n"
	"{\n"
	"\treturn ellu_stream_method_async(handle, \"$\", request, ellu_%_deliver_,\n"
	"\t\t(ellu_any_fn *) callback, userdata, ret_op);\n"
	"}\n";

/* Of lists. */
static const char list_forms[] =
	"static inline int ellu_%_next_item(struct ellu_stream *stream, const struct ellu_@ **ret,\n"
	"\t\tconst struct ellu_error **ret_error)\n"
	"{\n"
	"\tconst void *item = NULL;\n"
	"\tint r = ellu_stream_next_item(stream, ret ? &item : NULL, ret_error);\n"
	"\n"
	"\tif (r > 0)\n"
	"\t\t*ret = (const struct ellu_@ *) item;\n"
	"\treturn r;\n"
	"}\n";

const char *list_item_type(const struct idl_method *method)
{
	for (size_t i = 0; i < method->reply.n_fields; i++)
		if (strcmp(method->reply.fields[i].name, "items") == 0)
			return method->reply.fields[i].type->record.name;
	fprintf(stderr, "%s: pages without items\n", method->name);
	exit(EXIT_FAILURE);
}

static void emit_forms(FILE *out, const struct idl_interface *interface,
		       const struct idl_method *method, const char *forms)
{
	for (; *forms; forms++)
		switch (*forms) {
		case METHOD_MARK:
			fputs(method->snake, out);
			break;
		case NAME_MARK:
			fprintf(out, "%s.%s", interface->name, method->name);
			break;
		case ITEM_MARK:
			fputs(list_item_type(method), out);
			break;
		default:
			fputc(*forms, out);
		}
}

void emit_client_header(FILE *out, const struct idl_model *model)
{
	fputs(prologue, out);
	for (size_t i = 0; i < model->n_interfaces; i++)
		for (size_t k = 0; k < model->interfaces[i].n_methods; k++) {
			const struct idl_interface *interface = &model->interfaces[i];
			const struct idl_method *method = &interface->methods[k];
			bool is_list = strcmp(method->replies, "pages") == 0;

			fputc('\n', out);
			emit_doc(out, "", method->doc);
			emit_since(out, "", method->since);
			emit_forms(out, interface, method, call_forms);
			if (is_list || strcmp(method->replies, "events") == 0)
				emit_forms(out, interface, method, stream_forms);
			if (is_list)
				emit_forms(out, interface, method, list_forms);
		}
	emit_header_end(out);
}
