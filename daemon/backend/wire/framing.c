#include "daemon/backend/wire/framing.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static ssize_t take_sse(union framing_state *state, const char *bytes, size_t size,
			struct framed_event *ret_event)
{
	const struct buffer *data;
	size_t taken = sse_take(&state->sse, bytes, size, &data);

	*ret_event = (struct framed_event){ 0 };
	if (!data)
		return (ssize_t)taken;
	if (data->failed)
		return -ENOMEM;
	ret_event->data = data->data ? data->data : "";
	ret_event->size = data->size;
	return (ssize_t)taken;
}

static size_t sse_held(const union framing_state *state)
{
	return state->sse.line.size + (state->sse.told ? 0 : state->sse.data.size);
}

static void sse_state_done(union framing_state *state)
{
	sse_done(&state->sse);
}

const struct framing framing_sse = {
	.content_type = "text/event-stream",
	.take = take_sse,
	.held = sse_held,
	.done = sse_state_done,
};

static ssize_t take_aws(union framing_state *state, const char *bytes, size_t size,
			struct framed_event *ret_event)
{
	struct aws_event event;
	ssize_t taken = aws_event_stream_take(&state->aws, bytes, size, &event);

	*ret_event = (struct framed_event){ .data = event.payload, .size = event.size,
					    .type = event.type, .is_error = event.is_error };
	return taken;
}

static size_t aws_held(const union framing_state *state)
{
	return aws_event_stream_held(&state->aws);
}

static void aws_state_done(union framing_state *state)
{
	aws_event_stream_done(&state->aws);
}

const struct framing framing_aws = {
	.content_type = "application/vnd.amazon.eventstream",
	.take = take_aws,
	.held = aws_held,
	.done = aws_state_done,
};

static const struct framing *const framings[] = {
	&framing_sse,
	&framing_aws,
};

const struct framing *framing_find(const char *content_type)
{
	size_t size = content_type ? strcspn(content_type, "; \t") : 0;

	for (size_t i = 0; i < sizeof(framings) / sizeof(*framings); i++) {
		if (strlen(framings[i]->content_type) == size &&
		    strncasecmp(content_type, framings[i]->content_type, size) == 0)
			return framings[i];
	}
	return NULL;
}
