# Not run by our checks: for those whose own system has no apt. `docker build -t ticketring . && docker run --rm -it ticketring`
FROM node:24-bookworm
WORKDIR /ticketring
COPY . .
RUN node bin/setup.mjs
# The rehearsal keeps every key on tmpfs: /dev/shm, of which a container has 64 MB unless told otherwise.
CMD ["npm", "start"]
