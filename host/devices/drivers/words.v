// SPDX-License-Identifier: Apache-2.0
// Drives the words of an NPU's streams under Icarus as words.cpp does under Verilator: the same
// lines, the same cycles. NPU is the module's name.
`timescale 1ns / 1ps

module driver;
  localparam STDIN = 32'h8000_0000;
  localparam STDOUT = 32'h8000_0001;
  localparam DEPTH = 1 << 20;

  reg clk = 0;
  reg rst = 0;
  reg [32:0] command_payload = 0;
  reg command_valid = 0;
  wire command_ready;
  wire [32:0] response_payload;
  wire response_valid;
  reg response_ready = 0;

  `NPU dut (
      .clk(clk),
      .rst(rst),
      .command__payload(command_payload),
      .command__valid(command_valid),
      .command__ready(command_ready),
      .response__payload(response_payload),
      .response__valid(response_valid),
      .response__ready(response_ready)
  );

  // Words `first` to `last` - 1 are not taken yet.
  reg [32:0] words[0:DEPTH-1];
  integer first, last, owed;
  reg [31:0] pin, limit, cycles, withdrawn;
  reg [31:0] idle, hold, random;
  reg [31:0] count, index;
  reg waits, valid, taken, held, pause;
  reg [32:0] waiting, word;
  integer got;

  task tick;
    begin
      #5 clk = 1;
      #5 clk = 0;
    end
  endtask

  task draw;
    begin
      random = random ^ (random << 13);
      random = random ^ (random >> 17);
      random = random ^ (random << 5);
    end
  endtask

  task reset;
    begin
      rst = 1;
      command_valid = 0;
      response_ready = 0;
      for (index = 0; index < pin; index = index + 1) tick;
      rst = 0;
      first = 0;
      last = 0;
      owed = 0;
      waits = 0;
    end
  endtask

  task cycle;
    begin
      draw;
      pause = random[31:24] < idle;
      draw;
      held = random[31:24] < hold;
      if (first < last && !pause) command_valid = 1;
      if (command_valid) command_payload = words[first];
      response_ready = !held;
      #1;
      taken = command_valid && command_ready;
      valid = response_valid;
      word = response_payload;
      if (waits && (!valid || word !== waiting)) withdrawn = withdrawn + 1;
      waits = valid && held;
      waiting = word;
      tick;
      if (taken) begin
        owed = owed + words[first][32];
        first = first + 1;
        command_valid = 0;
      end
      if (valid && !held) begin
        owed = owed - word[32];
        $fwrite(STDOUT, "%0h ", word);
      end
    end
  endtask

  initial begin
    first = 0;
    last = 0;
    owed = 0;
    waits = 0;
    withdrawn = 0;
    got = $fscanf(STDIN, "%h %h %h %h %h %h", pin, limit, idle, hold, random, count);
    while (got == 6) begin
      if (pin != 0) reset;
      if (first == last) begin
        first = 0;
        last = 0;
      end
      for (index = 0; index < count; index = index + 1) begin
        got = $fscanf(STDIN, "%h", words[last]);
        last = last + 1;
      end
      for (cycles = 0; cycles < limit && (first < last || owed > 0); cycles = cycles + 1) cycle;
      $fwrite(STDOUT, "%0h %0h %0h %0h\n", cycles, last - first, owed > 0 ? owed : 0, withdrawn);
      $fflush(STDOUT);
      got = $fscanf(STDIN, "%h %h %h %h %h %h", pin, limit, idle, hold, random, count);
    end
    $finish;
  end
endmodule
