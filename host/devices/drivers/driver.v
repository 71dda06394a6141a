// SPDX-License-Identifier: Apache-2.0
// Drives an NPU under Icarus: a line in for each packet, a line out for its answer.
// Request: number of words, then the words. Answer: cycles, then its words; or `timeout` and the
// limit. All in hexadecimal. The limit in cycles is +timeout=N; NPU is the module's name.
`timescale 1ns / 1ps

module driver;
  localparam STDIN = 32'h8000_0000;
  localparam STDOUT = 32'h8000_0001;

  reg clk = 0;
  reg rst = 1;
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

  reg [31:0] words[0:65537];
  reg [31:0] answer[0:65537];
  reg [63:0] limit;
  reg [63:0] cycles;
  integer count, sent, got, index;
  reg done;
  reg finished;

  // A clock only while there is something to do.
  task tick;
    begin
      #5 clk = 1;
      #5 clk = 0;
    end
  endtask

  task read_request;
    begin
      done = $fscanf(STDIN, "%h", count) != 1;
      for (index = 0; index < count && !done; index = index + 1) begin
        done = $fscanf(STDIN, "%h", words[index]) != 1;
      end
    end
  endtask

  task transact;
    begin
      sent = 0;
      got = 0;
      cycles = 0;
      response_ready = 1;
      finished = 0;
      while (!finished && cycles < limit) begin
        command_valid = sent < count;
        if (sent < count) command_payload = {sent == count - 1, words[sent]};
        #1;
        if (command_valid && command_ready) sent = sent + 1;
        if (response_valid) begin
          answer[got] = response_payload[31:0];
          finished = response_payload[32];
          got = got + 1;
        end
        tick;
        cycles = cycles + 1;
      end
      command_valid = 0;
      response_ready = 0;
    end
  endtask

  initial begin
    if (!$value$plusargs("timeout=%d", limit)) limit = 50000000;
    repeat (4) tick;
    rst = 0;
    read_request;
    while (!done) begin
      transact;
      if (!finished) begin
        $fwrite(STDOUT, "timeout %0h\n", limit);
        $fflush(STDOUT);
        $finish;
      end
      $fwrite(STDOUT, "%0h", cycles);
      for (index = 0; index < got; index = index + 1) $fwrite(STDOUT, " %0h", answer[index]);
      $fwrite(STDOUT, "\n");
      $fflush(STDOUT);
      read_request;
    end
    $finish;
  end
endmodule
