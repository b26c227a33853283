package sctp

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// Types of chunks (RFC 9260, section 3.2).
const (
	chunkData             = 0
	chunkInit             = 1
	chunkInitAck          = 2
	chunkSack             = 3
	chunkHeartbeat        = 4
	chunkHeartbeatAck     = 5
	chunkAbort            = 6
	chunkShutdown         = 7
	chunkShutdownAck      = 8
	chunkCookieEcho       = 10
	chunkCookieAck        = 11
	chunkShutdownComplete = 14
)

// parameterStateCookie is the type of the State Cookie in INIT ACK (section 3.3.3).
const parameterStateCookie = 7

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type chunk struct {
	kind, flags byte
	body        []byte
}

// packet is one packet on the wire: the common header and its chunks.
type packet struct {
	from, to uint16
	tag      uint32
	chunks   []chunk
}

func encode(p packet) []byte {
	bytes := make([]byte, 12)
	binary.BigEndian.PutUint16(bytes, p.from)
	binary.BigEndian.PutUint16(bytes[2:], p.to)
	binary.BigEndian.PutUint32(bytes[4:], p.tag)
	for _, c := range p.chunks {
		bytes = append(bytes, c.kind, c.flags)
		bytes = binary.BigEndian.AppendUint16(bytes, uint16(4+len(c.body)))
		bytes = append(bytes, c.body...)
		for len(bytes)%4 != 0 {
			bytes = append(bytes, 0)
		}
	}
	// CRC32c over the whole packet with a checksum of zero, its lowest byte first (appendix A).
	binary.LittleEndian.PutUint32(bytes[8:], crc32.Checksum(bytes, castagnoli))
	return bytes
}

func decode(bytes []byte) (packet, error) {
	if len(bytes) < 16 {
		return packet{}, errors.New("sctp: a packet without chunks")
	}
	told := binary.LittleEndian.Uint32(bytes[8:])
	copied := append([]byte(nil), bytes...)
	binary.LittleEndian.PutUint32(copied[8:], 0)
	if crc32.Checksum(copied, castagnoli) != told {
		return packet{}, errors.New("sctp: a wrong checksum")
	}
	p := packet{binary.BigEndian.Uint16(copied), binary.BigEndian.Uint16(copied[2:]), binary.BigEndian.Uint32(copied[4:]), nil}
	for rest := copied[12:]; len(rest) >= 4; {
		length := int(binary.BigEndian.Uint16(rest[2:]))
		if length < 4 || length > len(rest) {
			return packet{}, errors.New("sctp: a chunk that is longer than its packet")
		}
		p.chunks = append(p.chunks, chunk{rest[0], rest[1], rest[4:length]})
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return p, nil
}

// initBody is the body of INIT and INIT ACK: one stream each way, a window of 64 KiB.
func initBody(tag, tsn uint32, cookie []byte) []byte {
	body := binary.BigEndian.AppendUint32(nil, tag)
	body = binary.BigEndian.AppendUint32(body, 1<<16)
	body = binary.BigEndian.AppendUint16(body, 1)
	body = binary.BigEndian.AppendUint16(body, 1)
	body = binary.BigEndian.AppendUint32(body, tsn)
	if cookie != nil {
		body = binary.BigEndian.AppendUint16(body, parameterStateCookie)
		body = binary.BigEndian.AppendUint16(body, uint16(4+len(cookie)))
		body = append(body, cookie...)
	}
	return body
}

// cookieOf finds the State Cookie in the body of an INIT ACK.
func cookieOf(body []byte) []byte {
	for rest := body[16:]; len(rest) >= 4; {
		length := int(binary.BigEndian.Uint16(rest[2:]))
		if length < 4 || length > len(rest) {
			return nil
		}
		if binary.BigEndian.Uint16(rest) == parameterStateCookie {
			return rest[4:length]
		}
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return nil
}
