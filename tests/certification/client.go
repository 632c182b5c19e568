// Runs an experiment on the daemon at the given address and follows it to its end.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/varlink/go/varlink"
)

type event struct {
	Sequence int64  `json:"sequence"`
	Status   string `json:"status"`
	Progress *struct {
		Percent float64 `json:"percent_complete"`
	} `json:"progress"`
	Result *struct {
		Results struct {
			Responses int64 `json:"responses"`
			Ratings   int64 `json:"ratings"`
		} `json:"results"`
	} `json:"result"`
}

type reply struct {
	Event *event `json:"event"`
}

const request = `{
	"name": "From Go",
	"prompt_template": {"content": {"name": "Haiku", "messages":
		[{"role": "user", "content": "Write a haiku about {{topic}}."}]}},
	"collection": {"content": {"name": "Topics", "variables":
		[{"topic": "rivers"}, {"topic": "coffee"}, {"topic": "\"quotes\""}]}},
	"criteria": ["Is it a haiku?", "Is it about {{topic}}?"]
}`

type raw string

func (r raw) MarshalJSON() ([]byte, error) {
	return []byte(r), nil
}

func fail(what string, err error) {
	fmt.Println(what, err)
	os.Exit(1)
}

func main() {
	ctx := context.Background()
	connection, err := varlink.NewConnection(ctx, os.Args[1])
	if err != nil {
		fail("connect:", err)
	}
	defer connection.Close()
	receive, err := connection.Send(ctx, "org.elluminate.RunExperiment", raw(request), varlink.More)
	if err != nil {
		fail("send:", err)
	}
	for {
		var answer reply
		flags, err := receive(ctx, &answer)
		if err != nil {
			fail("receive:", err)
		}
		if answer.Event == nil {
			fail("no event", nil)
		}
		fmt.Println(answer.Event.Sequence, answer.Event.Status)
		if flags&varlink.Continues != 0 {
			continue
		}
		if answer.Event.Status != "SUCCESS" || answer.Event.Result == nil ||
			answer.Event.Result.Results.Responses != 3 ||
			answer.Event.Result.Results.Ratings != 6 {
			fail("the end is wrong:", nil)
		}
		return
	}
}
