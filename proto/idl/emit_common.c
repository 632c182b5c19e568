#include <stdlib.h>
#include <string.h>

#include "proto/idl/model.h"

void emit_text(FILE *out, const struct idl_model *model)
{
	fputs(model->interfaces[0].text, out);
}

void emit_doc(FILE *out, const char *indent, const char *doc)
{
	const char *line = doc;

	if (!*doc)
		return;
	fprintf(out, "%s/* ", indent);
	while (*line) {
		size_t length = strcspn(line, "\n");

		fprintf(out, "%.*s", (int) length, line);
		line += length;
		if (*line == '\n') {
			fprintf(out, "\n%s * ", indent);
			line++;
		}
	}
	fprintf(out, " */\n");
}

void emit_since(FILE *out, const char *indent, const char *since)
{
	if (since)
		fprintf(out, "%s/* Since %s. */\n", indent, since);
}

void emit_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '\t')
			fputs("\\t", out);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

void emit_header_end(FILE *out)
{
	fputs("\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n", out);
}
