/*
 * handlers.h and handlers.c: what the daemon must implement of the first interface. A method
 * without its handler does not link.
 */
#include "proto/idl/model.h"

void emit_handlers_header(FILE *out, const struct idl_model *model)
{
	const struct idl_interface *interface = &model->interfaces[0];

	fprintf(out,
		"/* The handlers of %s. Generated from the interface files. */\n"
		"#pragma once\n\n#include \"elluminate-types.h\"\n"
		"#include \"proto/generated/interface.h\"\n\nstruct call;\n\n",
		interface->name);
	for (size_t i = 0; i < interface->n_methods; i++)
		fprintf(out,
			"int api_%s(struct call *call,\n\t\tconst struct ellu_%s_request *request);\n",
			interface->methods[i].snake, interface->methods[i].snake);
	fputs("\n/* By method_id; `request` is the method's decoded request. */\n"
	      "extern int (*const api_handlers[_METHOD_MAX])(struct call *call, const void *request);\n",
	      out);
}

void emit_handlers_source(FILE *out, const struct idl_model *model)
{
	const struct idl_interface *interface = &model->interfaces[0];

	fprintf(out,
		"/* The handlers of %s. Generated from the interface files. */\n"
		"#include \"proto/generated/handlers.h\"\n",
		interface->name);
	for (size_t i = 0; i < interface->n_methods; i++)
		fprintf(out,
			"\nstatic int call_%s(struct call *call, const void *request)\n"
			"{\n\treturn api_%s(call, request);\n}\n",
			interface->methods[i].snake, interface->methods[i].snake);
	fputs("\nint (*const api_handlers[_METHOD_MAX])(struct call *call, const void *request) = {\n",
	      out);
	for (size_t i = 0; i < interface->n_methods; i++)
		fprintf(out, "\t[METHOD_%s] = call_%s,\n", interface->methods[i].upper,
			interface->methods[i].snake);
	fputs("};\n", out);
}
