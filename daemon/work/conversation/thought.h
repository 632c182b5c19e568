/*
 * Models that think aloud before they answer: where nothing takes it away on its way, the thought stands in
 * front of the answer between <think> and </think> (as DeepSeek's and Qwen's chat templates have it).
 *
 * A pure function; any thread.
 */
#pragma once

/* The answer behind the thought, inside of `answer`: all of it where there is none, nothing where the thought
 * was cut off. */
const char *thought_skip(const char *answer);
