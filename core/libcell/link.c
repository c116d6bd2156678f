#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Sockets use two flat buffers. Frames are parsed where they were read, and encoded where
 * they will be written from; both buffers are moved down when the end comes near, so that
 * a frame is always contiguous, as in a ring.
 *
 * In the packet flavour every packet in `tx` is preceded by nothing: its header says how
 * long it is.
 */

static void link_init(struct link *link, enum link_kind kind)
{
	*link = (struct link){ .kind = kind, .fd = -1, .bell = -1, .peer_bell = -1 };
}

int link_open_ring(struct link *link, int memfd, unsigned side, int bell, int peer_bell,
		   int lifeline, struct cell_error *err)
{
	int r;

	link_init(link, LINK_RING);
	r = ring_map(&link->ring, memfd, side, err);
	if (r < 0)
		return r;
	link->fd = lifeline;
	link->bell = bell;
	link->peer_bell = peer_bell;
	return 0;
}

int link_open_socket(struct link *link, enum link_kind kind, int fd, struct cell_error *err)
{
	link_init(link, kind);
	link->rx = malloc(LINK_BUFFER_SIZE);
	link->tx = malloc(LINK_BUFFER_SIZE);
	if (!link->rx || !link->tx) {
		free(link->rx);
		free(link->tx);
		return cell_fail(err, -ENOMEM, "buffers of a socket");
	}
	link->fd = fd;
	return 0;
}

void link_close(struct link *link)
{
	if (link->kind == LINK_RING)
		ring_unmap(&link->ring);
	free(link->rx);
	free(link->tx);
	sock_packet_close(&link->packet);
	if (link->fd >= 0)
		(void)close(link->fd);
	if (link->bell >= 0)
		(void)close(link->bell);
	if (link->peer_bell >= 0)
		(void)close(link->peer_bell);
	link_init(link, link->kind);
}

static void socket_make_room(struct link *link)
{
	if (link->tx_at == 0)
		return;
	memmove(link->tx, link->tx + link->tx_at, link->tx_end - link->tx_at);
	link->tx_end -= link->tx_at;
	link->tx_at = 0;
}

size_t link_room(struct link *link, bool *ret_broken)
{
	size_t room;

	*ret_broken = false;
	if (link->kind == LINK_RING)
		return ring_room(&link->ring, ret_broken);
	room = LINK_BUFFER_SIZE - (link->tx_end - link->tx_at);
	return room < FRAME_HEADER_SIZE ? 0 : room;
}

uint8_t *link_socket_reserve(struct link *link, size_t length)
{
	size_t size = FRAME_HEADER_SIZE + length;

	if (link->kind == LINK_PACKET && length > LINK_PACKET_BODY_MAX)
		return NULL;
	if (size > LINK_BUFFER_SIZE - link->tx_end)
		socket_make_room(link);
	if (size > LINK_BUFFER_SIZE - link->tx_end)
		return NULL;
	return link->tx + link->tx_end;
}

void link_commit(struct link *link, const struct frame *header)
{
	if (link->kind == LINK_RING) {
		frame_encode(header, link->ring.tx + (link->ring.tx_tail & (RING_SIZE - 1)));
		ring_commit(&link->ring, header->length);
		return;
	}
	frame_encode(header, link->tx + link->tx_end);
	link->tx_end += FRAME_HEADER_SIZE + header->length;
}

static int stream_write(struct link *link)
{
	while (link->tx_at < link->tx_end) {
		ssize_t n = send(link->fd, link->tx + link->tx_at, link->tx_end - link->tx_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			link->tx_blocked = true;
			return 0;
		}
		if (n < 0)
			return -errno;
		link->tx_at += (size_t)n;
	}
	link->tx_at = link->tx_end = 0;
	link->tx_blocked = false;
	return 0;
}

static int packet_write(struct link *link)
{
	while (link->tx_at < link->tx_end) {
		const uint8_t *packet = link->tx + link->tx_at;
		struct frame header;
		struct iovec part;
		int r;

		frame_decode(&header, packet);
		part = (struct iovec){ .iov_base = (void *)(uintptr_t)packet,
				       .iov_len = FRAME_HEADER_SIZE + header.length };
		r = sock_send(link->fd, &part, 1, NULL, 0, NULL);
		if (r == SOCK_WAIT) {
			link->tx_blocked = true;
			return 0;
		}
		if (r < 0)
			return r;
		link->tx_at += part.iov_len;
	}
	link->tx_at = link->tx_end = 0;
	link->tx_blocked = false;
	return 0;
}

int link_socket_flush(struct link *link)
{
	return link->kind == LINK_STREAM ? stream_write(link) : packet_write(link);
}

/* An eventfd write fails only when its counter is full: then the peer is awake anyway. */
void link_ring_bell(struct link *link)
{
	static const uint64_t one = 1;

	(void)!write(link->peer_bell, &one, sizeof one);
}

static int stream_read(struct link *link)
{
	ssize_t n;

	if (link->rx_at > 0) {
		memmove(link->rx, link->rx + link->rx_at, link->rx_end - link->rx_at);
		link->rx_end -= link->rx_at;
		link->rx_at = 0;
	}
	do
		n = recv(link->fd, link->rx + link->rx_end, LINK_BUFFER_SIZE - link->rx_end,
			 MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return errno == EAGAIN || errno == EWOULDBLOCK ? LINK_EMPTY : -errno;
	if (n <= 0) { /* reset: it closed before it had read all that we sent */
		link->rx_ended = true;
		return LINK_END;
	}
	link->rx_end += (size_t)n;
	return 0;
}

static int stream_peek(struct link *link, struct frame *ret_header, const uint8_t **ret_body,
		       struct cell_error *err)
{
	for (;;) {
		size_t have = link->rx_end - link->rx_at;
		int r;

		if (have >= FRAME_HEADER_SIZE) {
			frame_decode(ret_header, link->rx + link->rx_at);
			r = frame_check(ret_header, err);
			if (r < 0)
				return r;
			if (have - FRAME_HEADER_SIZE >= ret_header->length) {
				*ret_body = link->rx + link->rx_at + FRAME_HEADER_SIZE;
				return 0;
			}
		}
		r = stream_read(link);
		if (r == LINK_END && have > 0)
			return cell_fail(err, -EPROTO, "the peer closed within a frame (%zu bytes)",
					 have);
		if (r < 0)
			return cell_fail(err, r, "reading: %s", strerror(-r));
		if (r)
			return r;
	}
}

static int packet_peek(struct link *link, struct frame *ret_header, const uint8_t **ret_body,
		       struct cell_error *err)
{
	int r;

	sock_packet_close(&link->packet);
	link->packet = (struct sock_packet){ 0 };
	r = sock_recv(link->fd, link->rx, FRAME_HEADER_SIZE + LINK_PACKET_BODY_MAX, &link->packet,
		      err);
	if (r == SOCK_WAIT)
		return LINK_EMPTY;
	if (r == SOCK_END)
		return LINK_END;
	if (r < 0)
		return r;
	if (link->packet.len < FRAME_HEADER_SIZE)
		return cell_fail(err, -EPROTO, "a packet of %zu bytes is no frame",
				 link->packet.len);
	frame_decode(ret_header, link->rx);
	r = frame_check(ret_header, err);
	if (r < 0)
		return r;
	if (ret_header->length != link->packet.len - FRAME_HEADER_SIZE)
		return cell_fail(err, -EPROTO, "a packet of %zu bytes holds a frame of %u",
				 link->packet.len, ret_header->length);
	*ret_body = link->rx + FRAME_HEADER_SIZE;
	return 0;
}

int link_socket_peek(struct link *link, struct frame *ret_header, const uint8_t **ret_body,
		     struct cell_error *err)
{
	return link->kind == LINK_STREAM ? stream_peek(link, ret_header, ret_body, err)
					 : packet_peek(link, ret_header, ret_body, err);
}
