// Receives what paraph forwards: verified, and each event once. Standard library alone.
//
// Start it with `FORWARD_SECRETS=whsec_… go run .`. PORT and HANDLED are optional. While a secret is
// being replaced, FORWARD_SECRETS holds both, with a blank between them.
package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	longest   = 4 << 20
	tolerance = 300 // seconds
)

var digits = regexp.MustCompile(`^[0-9]{1,11}$`)

type event struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// receiver keeps the handled ids in a file. In a product they are in a table with a unique column,
// written in the transaction that does the work.
type receiver struct {
	keys    [][]byte
	mutex   sync.Mutex
	handled map[string]bool
	file    *os.File
}

func keysOf(secrets string) ([][]byte, error) {
	var keys [][]byte
	for _, secret := range strings.Fields(secrets) {
		key := []byte(secret)
		if encoded, found := strings.CutPrefix(secret, "whsec_"); found {
			decoded, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				return nil, err
			}
			key = decoded
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("FORWARD_SECRETS is empty")
	}
	return keys, nil
}

// isGenuine verifies as the Standard Webhooks specification says: over id, time and raw body.
func (r *receiver) isGenuine(header http.Header, body []byte) bool {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	if !digits.MatchString(timestamp) {
		return false
	}
	signedAt, _ := strconv.ParseInt(timestamp, 10, 64)
	if age := time.Now().Unix() - signedAt; age > tolerance || age < -tolerance {
		return false
	}
	for _, key := range r.keys {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.", id, timestamp)
		mac.Write(body)
		expected := mac.Sum(nil)
		for _, one := range strings.Fields(header.Get("webhook-signature")) {
			encoded, found := strings.CutPrefix(one, "v1,")
			given, err := base64.StdEncoding.DecodeString(encoded)
			if found && err == nil && hmac.Equal(expected, given) {
				return true
			}
		}
	}
	return false
}

// handle does the work of your product.
func handle(one event) error {
	switch one.Type {
	case "installation.removed":
		// Delete what you keep of data.installation.subject.
	case "zoom.meeting.ended":
		// data.installations names your accounts, data.event is as Zoom sent it.
	}
	return nil
}

// keep handles an event unless it was handled before, and reports whether it is new.
func (r *receiver) keep(id string, body []byte) (bool, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.handled[id] {
		return false, nil
	}
	var one event
	if err := json.Unmarshal(body, &one); err != nil {
		return false, err
	}
	if err := handle(one); err != nil {
		return false, err
	}
	if _, err := fmt.Fprintln(r.file, id); err != nil {
		return false, err
	}
	if err := r.file.Sync(); err != nil {
		return false, err
	}
	r.handled[id] = true
	return true, nil
}

// ServeHTTP answers 204 to what was handled, now or before; paraph sends everything else again.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, longest))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if request.Method != http.MethodPost || !r.isGenuine(request.Header, body) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	id := request.Header.Get("webhook-id")
	isNew, err := r.keep(id, body)
	if err != nil {
		log.Print(err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	word := "repeated"
	if isNew {
		word = "handled"
	}
	fmt.Println(word, id)
	w.WriteHeader(http.StatusNoContent)
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	keys, err := keysOf(os.Getenv("FORWARD_SECRETS"))
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.OpenFile(setting("HANDLED", "handled.txt"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	r := &receiver{keys: keys, handled: map[string]bool{}, file: file}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		r.handled[lines.Text()] = true
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+setting("PORT", "8300"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening http://%s/\n", listener.Addr())
	server := &http.Server{Handler: r, ReadTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}
