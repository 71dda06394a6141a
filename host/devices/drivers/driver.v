// SPDX-License-Identifier: Apache-2.0
// Drives an NPU under Icarus: a line in for each packet, a line out for its answer.
// Request: number of words, then the words. Answer: cycles, then its words; or `timeout` and the
// limit. All in hexadecimal. The limit in cycles is +timeout=N; NPU is the module's name.
// With EXTERNAL, the bytes of a beat, there is external memory as in external.h: a request of 0
// words is followed by the number of its words and the words, and answered 0.
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
`ifdef EXTERNAL
      .m_axi_araddr(araddr),
      .m_axi_arlen(arlen),
      .m_axi_arvalid(arvalid),
      .m_axi_arready(1'b1),
      .m_axi_arid(),
      .m_axi_arsize(),
      .m_axi_arburst(),
      .m_axi_arcache(),
      .m_axi_arprot(),
      .m_axi_rid(1'b0),
      .m_axi_rdata(rdata),
      .m_axi_rresp(rresp),
      .m_axi_rlast(rlast),
      .m_axi_rvalid(rvalid),
      .m_axi_rready(),
`endif
      .response__ready(response_ready)
  );

`ifdef EXTERNAL
  localparam WORDS = `EXTERNAL / 4;
  localparam DEPTH = 1 << 22;
  wire [31:0] araddr;
  wire [7:0] arlen;
  wire arvalid;
  reg [32*WORDS-1:0] rdata = 0;
  reg [1:0] rresp = 0;
  reg rlast = 0;
  reg rvalid = 0;
  reg [31:0] external[0:DEPTH-1];
  integer size = 0;
  integer lane;
  // Bursts under way, of which there are at most four: word, beats left, cycle of the first.
  reg [31:0] at[0:3];
  reg [8:0] left[0:3];
  reg [63:0] due[0:3];
  reg [1:0] head = 0;
  reg [1:0] tail = 0;
  reg [2:0] under_way = 0;
  reg [63:0] now = 0;

  task drive;
    begin
      rvalid = under_way != 0 && due[head] <= now;
      if (rvalid) begin
        rlast = left[head] == 1;
        rresp = at[head] + WORDS > size ? 2 : 0;
        for (lane = 0; lane < WORDS; lane = lane + 1) begin
          rdata[32*lane+:32] = rresp == 0 ? external[at[head]+lane] : 0;
        end
      end
    end
  endtask

  task sample;
    begin
      if (rvalid) begin
        at[head] = at[head] + WORDS;
        left[head] = left[head] - 1;
        if (left[head] == 0) begin
          head = head + 1;
          under_way = under_way - 1;
        end
      end
      if (arvalid) begin
        at[tail] = araddr >> 2;
        left[tail] = arlen + 1;
        due[tail] = now + `LATENCY;
        tail = tail + 1;
        under_way = under_way + 1;
      end
      now = now + 1;
    end
  endtask

  task read_external;
    begin
      done = $fscanf(STDIN, "%h", size) != 1;
      for (index = 0; index < size && !done; index = index + 1) begin
        done = $fscanf(STDIN, "%h", external[index]) != 1;
      end
      $fwrite(STDOUT, "0\n");
      $fflush(STDOUT);
    end
  endtask
`endif

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
`ifdef EXTERNAL
      while (!done && count == 0) begin
        read_external;
        if (!done) done = $fscanf(STDIN, "%h", count) != 1;
      end
`endif
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
`ifdef EXTERNAL
        drive;
`endif
        #1;
        if (command_valid && command_ready) sent = sent + 1;
        if (response_valid) begin
          answer[got] = response_payload[31:0];
          finished = response_payload[32];
          got = got + 1;
        end
`ifdef EXTERNAL
        sample;
`endif
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
