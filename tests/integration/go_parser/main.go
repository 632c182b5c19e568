// Reads interface descriptions with the parser of the Varlink project's Go library. Each
// argument is FILE=INTERFACE; the file must describe that interface.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/varlink/go/varlink/idl"
)

func main() {
	for _, argument := range os.Args[1:] {
		file, name, _ := strings.Cut(argument, "=")
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		description, err := idl.New(string(text))
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			os.Exit(1)
		}
		if description.Name != name || len(description.Methods) == 0 {
			fmt.Fprintf(os.Stderr, "%s: %s instead of %s\n", file, description.Name, name)
			os.Exit(1)
		}
		fmt.Printf("%s: %d methods, %d types, %d errors\n", name, len(description.Methods),
			len(description.Aliases), len(description.Errors))
	}
}
