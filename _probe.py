import time, sys, tempfile
from pathlib import Path
from tests.compiler.test_tflite_networks import *
from cimple.compiler.compile import compile_network
tmp=Path(tempfile.mkdtemp())
for name in NPUS:
    for seed in range(8):
        b=random_network(100*list(NPUS).index(name)+seed)
        p=b.save(tmp/"n.tflite")
        c=compile_network(p,NPUS[name])
        t=time.time(); 
        if len(c.descriptors)<700: n=check(b,name,p)
        else: n=0
        print(name,seed,len(c.descriptors),n,round(time.time()-t,2),[o["kind"] for o in b.operators])
