/** Bits, the highest first. */
export class Bits {
  readonly #bytes: number[] = []
  #rest = 0
  #count = 0

  write(count: number, value: number): void {
    for (let bit = count - 1; bit >= 0; bit -= 1) {
      this.#rest = this.#rest * 2 + ((value >>> bit) & 1)
      this.#count += 1
      if (this.#count === 8) this.#flush()
    }
  }

  end(): Uint8Array {
    while (this.#count > 0) this.write(1, 0)
    return Uint8Array.from(this.#bytes)
  }

  #flush(): void {
    this.#bytes.push(this.#rest)
    this.#rest = 0
    this.#count = 0
  }
}
