package sctp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// How long an answer is waited for before a packet is sent again, and how often (RTO.Initial and Max.Init.Retransmits of RFC 9260, section 16).
const (
	retransmitAfter = time.Second
	retransmissions = 8
)

// agreeAfter is how long a peer that wants to end is still written to: kernels acknowledge late, so programs are used to that time.
const agreeAfter = 200 * time.Millisecond

// SCTPConn is one association with one stream. A message is sent when the one before it was acknowledged.
type SCTPConn struct {
	socket    *net.IPConn
	peer      *net.IPAddr
	from, to  uint16
	tag       uint32
	writing   sync.Mutex
	mutex     sync.Mutex
	peerTag   uint32
	cookie    []byte
	nextTSN   uint32
	sequence  uint16
	peerTSN   uint32
	answers   chan chunk
	inbox     chan []byte
	ended     chan struct{}
	endOnce   sync.Once
	deadline  time.Time
	forget    func()
	confirmed bool
	closing   atomic.Bool
}

func newConn(socket *net.IPConn, peer *net.IPAddr, from, to uint16, forget func()) *SCTPConn {
	return &SCTPConn{
		socket: socket, peer: peer, from: from, to: to, tag: rand.Uint32() | 1, nextTSN: rand.Uint32(),
		answers: make(chan chunk, 16), inbox: make(chan []byte, 1024), ended: make(chan struct{}), forget: forget,
	}
}

func (c *SCTPConn) end() { c.endOnce.Do(func() { close(c.ended) }) }

func (c *SCTPConn) send(tag uint32, kind, flags byte, body []byte) {
	c.socket.WriteToIP(encode(packet{c.from, c.to, tag, []chunk{{kind, flags, body}}}), c.peer)
}

// ask sends a chunk again and again until one of the wanted kind is the answer.
func (c *SCTPConn) ask(tag uint32, kind, flags byte, body []byte, wanted byte, accept func(chunk) bool) error {
	for range retransmissions {
		c.send(tag, kind, flags, body)
		timer := time.After(retransmitAfter)
	waiting:
		for {
			select {
			case answer := <-c.answers:
				if answer.kind == wanted && accept(answer) {
					return nil
				}
			case <-c.ended:
				// The answer may have come with what ended it.
				for len(c.answers) > 0 {
					if answer := <-c.answers; answer.kind == wanted && accept(answer) {
						return nil
					}
				}
				return io.EOF
			case <-timer:
				break waiting
			}
		}
	}
	return os.ErrDeadlineExceeded
}

func always(chunk) bool { return true }

// open is the handshake of a client: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK.
func (c *SCTPConn) open() error {
	var cookie []byte
	err := c.ask(0, chunkInit, 0, initBody(c.tag, c.nextTSN, nil), chunkInitAck, func(answer chunk) bool {
		cookie = c.meet(answer.body)
		return cookie != nil
	})
	if err != nil {
		return err
	}
	return c.ask(c.peerTag, chunkCookieEcho, 0, cookie, chunkCookieAck, always)
}

// meet learns the peer's tag and first number from an INIT or INIT ACK, and gives the cookie of the latter.
func (c *SCTPConn) meet(body []byte) []byte {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(body) < 16 {
		return nil
	}
	c.peerTag, c.peerTSN = binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[12:])-1
	return cookieOf(body)
}

// receive takes a chunk that came with the right tag.
func (c *SCTPConn) receive(got chunk) {
	switch got.kind {
	case chunkData:
		c.receiveData(got)
	case chunkHeartbeat:
		c.send(c.peerTag, chunkHeartbeatAck, 0, got.body)
	case chunkShutdown:
		c.answer(chunk{chunkSack, 0, got.body})
		if !c.closing.Swap(true) {
			time.AfterFunc(agreeAfter, func() {
				c.writing.Lock()
				defer c.writing.Unlock()
				c.agreeToShutdown()
			})
		}
	case chunkShutdownAck:
		c.send(c.peerTag, chunkShutdownComplete, 0, nil)
		c.answer(got)
	case chunkAbort, chunkShutdownComplete:
		c.end()
	default:
		c.answer(got)
	}
}

// agreeToShutdown answers a SHUTDOWN when nothing is left to be acknowledged.
func (c *SCTPConn) agreeToShutdown() {
	select {
	case <-c.ended:
		return
	default:
	}
	c.send(c.peerTag, chunkShutdownAck, 0, nil)
	c.end()
}

func (c *SCTPConn) answer(got chunk) {
	select {
	case c.answers <- got:
	default:
	}
}

func (c *SCTPConn) receiveData(got chunk) {
	if len(got.body) < 12 {
		return
	}
	c.mutex.Lock()
	tsn := binary.BigEndian.Uint32(got.body)
	if tsn == c.peerTSN+1 {
		select {
		case c.inbox <- got.body[12:]:
			c.peerTSN = tsn
		default:
		}
	}
	sack := binary.BigEndian.AppendUint32(nil, c.peerTSN)
	c.mutex.Unlock()
	c.send(c.peerTag, chunkSack, 0, append(sack, 0, 1, 0, 0, 0, 0, 0, 0))
}

// Write sends one message and waits until the peer has it.
func (c *SCTPConn) Write(message []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if len(message) > 1200 {
		return 0, errors.New("sctp: messages above 1200 bytes are not cut in fragments")
	}
	tsn := binary.BigEndian.AppendUint32(nil, c.nextTSN)
	body := append(append([]byte(nil), tsn...), 0, 0, byte(c.sequence>>8), byte(c.sequence), 0, 0, 0, 0)
	// Flags: beginning and end of a message.
	err := c.ask(c.peerTag, chunkData, 3, append(body, message...), chunkSack, func(sack chunk) bool {
		return len(sack.body) >= 4 && bytes.Equal(sack.body[:4], tsn)
	})
	c.nextTSN++
	c.sequence++
	if err != nil {
		return 0, err
	}
	return len(message), nil
}

// SetReadDeadline says until when Read waits.
func (c *SCTPConn) SetReadDeadline(deadline time.Time) error {
	c.deadline = deadline
	return nil
}

// Read gives one message.
func (c *SCTPConn) Read(buffer []byte) (int, error) {
	var timer <-chan time.Time
	if !c.deadline.IsZero() {
		timer = time.After(time.Until(c.deadline))
	}
	select {
	case message := <-c.inbox:
		return copy(buffer, message), nil
	default:
	}
	select {
	case message := <-c.inbox:
		return copy(buffer, message), nil
	case <-c.ended:
		return 0, io.EOF
	case <-timer:
		return 0, os.ErrDeadlineExceeded
	}
}

// Close ends the association: SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE.
func (c *SCTPConn) Close() error {
	c.mutex.Lock()
	tsn := binary.BigEndian.AppendUint32(nil, c.peerTSN)
	c.mutex.Unlock()
	if c.closing.Load() {
		c.agreeToShutdown()
	} else {
		c.ask(c.peerTag, chunkShutdown, 0, tsn, chunkShutdownAck, always)
		c.end()
	}
	c.forget()
	return nil
}

// SCTPRemoteAddr is the peer's address.
func (c *SCTPConn) SCTPRemoteAddr(int) (*SCTPAddr, error) {
	return &SCTPAddr{IPAddrs: []net.IPAddr{*c.peer}, Port: int(c.to)}, nil
}
