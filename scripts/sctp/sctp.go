// Package sctp speaks SCTP (RFC 9260) in user space over raw sockets, for kernels that have no SCTP sockets. It has the names of github.com/ishidawataru/sctp
// that Kubernetes' agnhost uses, and takes its place when that is built: then tests send real packets of SCTP on any kernel. One stream, one address, no
// fragments, no congestion control.
package sctp

import (
	"crypto/rand"
	"fmt"
	random "math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// SCTPAddr is a port at an address, or at all of them.
type SCTPAddr struct {
	IPAddrs []net.IPAddr
	Port    int
}

// Network is "sctp".
func (a *SCTPAddr) Network() string { return "sctp" }

func (a *SCTPAddr) String() string {
	host := ""
	if len(a.IPAddrs) > 0 {
		host = a.IPAddrs[0].String()
	}
	return net.JoinHostPort(host, strconv.Itoa(a.Port))
}

// ResolveSCTPAddr reads HOST:PORT; an empty host means all addresses of both families.
func ResolveSCTPAddr(_, text string) (*SCTPAddr, error) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	addr := &SCTPAddr{Port: int(port)}
	if host != "" {
		ip, err := net.ResolveIPAddr("ip", host)
		if err != nil {
			return nil, err
		}
		addr.IPAddrs = []net.IPAddr{*ip}
	}
	return addr, nil
}

func network(ip net.IP) string {
	if ip.To4() != nil {
		return "ip4:132"
	}
	return "ip6:132"
}

// DialSCTP opens an association. It fails after 16 seconds without an answer.
func DialSCTP(_ string, _, remote *SCTPAddr) (*SCTPConn, error) {
	if len(remote.IPAddrs) == 0 {
		return nil, fmt.Errorf("sctp: %s has no address", remote)
	}
	peer := remote.IPAddrs[0]
	socket, err := net.ListenIP(network(peer.IP), nil)
	if err != nil {
		return nil, err
	}
	conn := newConn(socket, &peer, uint16(32768+random.IntN(28000)), uint16(remote.Port), func() { socket.Close() })
	go receiveFrom(socket, func(source *net.IPAddr, got packet) {
		if got.from == conn.to && got.to == conn.from && got.tag == conn.tag && source.IP.Equal(peer.IP) {
			for _, one := range got.chunks {
				conn.receive(one)
			}
		}
	})
	if err := conn.open(); err != nil {
		socket.Close()
		return nil, err
	}
	return conn, nil
}

// receiveFrom reads packets until the socket is closed.
func receiveFrom(socket *net.IPConn, take func(*net.IPAddr, packet)) {
	buffer := make([]byte, 1<<16)
	for {
		n, source, err := socket.ReadFromIP(buffer)
		if err != nil {
			return
		}
		if got, err := decode(buffer[:n]); err == nil {
			take(source, got)
		}
	}
}

// SCTPListener accepts associations at a port.
type SCTPListener struct {
	port     uint16
	sockets  []*net.IPConn
	mutex    sync.Mutex
	conns    map[string]*SCTPConn
	accepted chan *SCTPConn
}

// ListenSCTP listens at a port of the given address, or of all addresses of both families.
func ListenSCTP(_ string, local *SCTPAddr) (*SCTPListener, error) {
	listener := &SCTPListener{port: uint16(local.Port), conns: map[string]*SCTPConn{}, accepted: make(chan *SCTPConn, 128)}
	addresses := local.IPAddrs
	if len(addresses) == 0 {
		addresses = []net.IPAddr{{IP: net.IPv4zero}, {IP: net.IPv6zero}}
	}
	for _, address := range addresses {
		socket, err := net.ListenIP(network(address.IP), &address)
		if err != nil {
			listener.Close()
			return nil, err
		}
		listener.sockets = append(listener.sockets, socket)
		go receiveFrom(socket, func(source *net.IPAddr, got packet) { listener.receive(socket, source, got) })
	}
	return listener, nil
}

func (l *SCTPListener) receive(socket *net.IPConn, source *net.IPAddr, got packet) {
	if got.to != l.port || len(got.chunks) == 0 {
		return
	}
	key := net.JoinHostPort(source.String(), strconv.Itoa(int(got.from)))
	l.mutex.Lock()
	conn := l.conns[key]
	first := got.chunks[0]
	if first.kind == chunkInit && got.tag == 0 && conn == nil && len(first.body) >= 16 {
		conn = newConn(socket, source, l.port, got.from, func() { l.forget(key) })
		conn.cookie = make([]byte, 16)
		rand.Read(conn.cookie)
		l.conns[key] = conn
	}
	l.mutex.Unlock()
	if conn == nil {
		return
	}
	if first.kind == chunkInit {
		conn.meet(first.body)
		conn.send(conn.peerTag, chunkInitAck, 0, initBody(conn.tag, conn.nextTSN, conn.cookie))
		return
	}
	if got.tag != conn.tag {
		return
	}
	for _, one := range got.chunks {
		if one.kind == chunkCookieEcho {
			l.confirm(conn, one.body)
		} else {
			conn.receive(one)
		}
	}
}

func (l *SCTPListener) confirm(conn *SCTPConn, cookie []byte) {
	if string(cookie) != string(conn.cookie) {
		return
	}
	conn.send(conn.peerTag, chunkCookieAck, 0, nil)
	if !conn.confirmed {
		conn.confirmed = true
		l.accepted <- conn
	}
}

func (l *SCTPListener) forget(key string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.conns, key)
}

// AcceptSCTP waits for the next association.
func (l *SCTPListener) AcceptSCTP() (*SCTPConn, error) {
	conn, open := <-l.accepted
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close ends the listening.
func (l *SCTPListener) Close() error {
	for _, socket := range l.sockets {
		socket.Close()
	}
	return nil
}
